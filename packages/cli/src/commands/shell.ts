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
    const { runPrompt } = await import('../run-prompt.ts')
    context.status = await runPrompt(app, {
      ...(await context.shellNames()),
      ...(flags.withoutTasks === true ? {} : shortNames(app)),
      app,
      celery: app,
      tasks: Object.fromEntries(ownTasks(app).map((name) => [name, app.tasks.lookUp(name)])),
    })
  })
}

const examples = `
In it are app (also celery), tasks['proj.add'], every task by the last part of its name, and all that the package celery exports.

Where the lines come from a program, the exit status is 1 if one of them threw.

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
