import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type REPLServer, start } from 'node:repl'
import { PassThrough } from 'node:stream'
import type { Celery } from '@celery/app'
import { type Command, Option } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { UsageError } from '../usage-error.ts'

interface ShellFlags {
  readonly withoutTasks?: boolean
}

/** `celery shell`: Node's own prompt, with the app, its tasks and what the package exports. */
export function shellCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('shell')
    .description('an interactive prompt with the app and its tasks; await works there')
    .option('-T, --without-tasks', 'leave out the names of tasks')
    .addOption(new Option('--python, --plain', "Node's own prompt, which is the only one").hideHelp())
    .addHelpText('after', examples)
  const foreign = ['-I, --ipython', '-B, --bpython', '--eventlet', '--gevent'].map((flags) =>
    new Option(flags).hideHelp(),
  )
  for (const option of foreign) command.addOption(option)
  command.action(async (flags: ShellFlags) => {
    for (const option of foreign) {
      if (option.attributeName() in flags)
        throw new UsageError(`${option.long} is a matter of Python; this is Node's prompt`)
    }
    const { app } = await context.openApp()
    await app.loadModules()
    await runPrompt(app, {
      ...context.shellNames,
      ...(flags.withoutTasks === true ? {} : shortNames(app)),
      app,
      celery: app,
      tasks: Object.fromEntries(ownTasks(app).map((name) => [name, app.tasks.lookUp(name)])),
    })
  })
}

const examples = `
In it are app (also celery), tasks['proj.add'], every task by the last part of its name, and all that the package celery exports.

Examples:
  celery -A ./tasks.ts shell
  echo 'await (await add.delay(2, 2)).get()' | celery -A ./tasks.ts shell`

function ownTasks(app: Celery): readonly string[] {
  return [...app.tasks.keys()].filter((name) => !name.startsWith('celery.'))
}

/** `proj.tasks.add` as `add`, as in Celery; of two with the same end the one declared last. */
function shortNames(app: Celery): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    ownTasks(app).map((name) => [name.slice(name.lastIndexOf('.') + 1), app.tasks.lookUp(name)]),
  )
}

async function runPrompt(app: Celery, names: Readonly<Record<string, unknown>>): Promise<void> {
  const isTerminal = process.stdin.isTTY === true
  if (isTerminal) process.stdout.write(`${app}, at ${app.brokerAddress}. Ctrl-D ends it.\n`)
  const input = isTerminal ? process.stdin : new PassThrough()
  const prompt = start({
    prompt: isTerminal ? 'celery> ' : '',
    input,
    output: process.stdout,
    ignoreUndefined: true,
    terminal: isTerminal,
    useColors: isTerminal && process.stdout.hasColors() && !process.env.NO_COLOR,
  })
  for (const [name, value] of Object.entries(names)) {
    Object.defineProperty(prompt.context, name, { value, configurable: true, enumerable: true, writable: true })
  }
  const ended = once(prompt, 'exit')
  if (input instanceof PassThrough) await Promise.race([feed(prompt, input), ended])
  await ended
}

/** A program's lines, each when the one before has been answered: the prompt does not wait for what these await. */
async function feed(prompt: REPLServer, input: PassThrough): Promise<void> {
  let answered = (): void => {}
  // Nobody sees it, and the dots of a second line would be taken for a part of the answer.
  prompt.displayPrompt = () => {
    prompt.resume()
    answered()
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = new Promise<void>((resolve) => {
      answered = resolve
    })
    input.write(`${line}\n`)
    await answer
  }
  input.end()
}
