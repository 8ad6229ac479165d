import type { DeadLetter, DeadLetterSelection } from '@celery/app'
import { printable, writeToStderr } from '@celery/app/internal'
import type { Command } from 'commander'
import { chooseQueues } from '../choose-queues.ts'
import { UnknownDeadLetterError } from '../cli-errors.ts'
import type { CommandContext } from '../command-context.ts'
import { confirm } from '../confirm.ts'
import { deadLetterLine, deadLetterText } from '../dead-letter-text.ts'
import { parseCountOption, parseListOption } from '../parse-option.ts'
import { UsageError } from '../usage-error.ts'

interface DeadFlags {
  readonly queues?: readonly string[]
  readonly limit?: number
  readonly all?: boolean
  readonly force?: boolean
}

/** `celery dead`: what no worker could deal with. */
export function deadCommand(program: Command, context: CommandContext): void {
  const dead = program
    .command('dead')
    .description('messages that no worker could deal with: list, show, requeue, purge')
    .addHelpText('after', examples)

  const subcommand = (usage: string, description: string): Command =>
    dead
      .command(usage)
      .description(description)
      .option(
        '-Q, --queues <list>',
        'queues that they came from, separated by commas (default: those of the app)',
        parseListOption,
      )

  subcommand('list', 'one line for each: id, task, queue and why it is there')
    .option('-n, --limit <number>', 'most to list of each queue', parseCountOption, 100)
    .action((flags: DeadFlags) => list(context, flags))
  subcommand('show <ids...>', 'all there is to say of these, with the beginning of the body').action(
    (ids: readonly string[], flags: DeadFlags) => show(context, ids, flags),
  )
  subcommand('requeue [ids...]', 'put them back into the queue that they came from')
    .option('--all', 'all of them')
    .action((ids: readonly string[], flags: DeadFlags) => requeue(context, ids, flags))
  subcommand('purge [ids...]', 'delete them')
    .option('--all', 'all of them')
    .option('-f, --force', 'do not ask')
    .action((ids: readonly string[], flags: DeadFlags) => purge(context, ids, flags))
}

const examples = `
Messages that cannot be read, whose task no worker knows or that came back too often are kept in <queue>.dead, the last
10,000 of the last seven days. An id is that of the task, or of the message where that cannot be told.

Examples:
  celery -A ./tasks.ts dead list
  celery -A ./tasks.ts dead show 8d0d1d0a-6b3c-4a55-9d0f-5f0f7a2a8f0e
  celery -A ./tasks.ts dead requeue --all -Q video      after the worker has been mended
  celery -A ./tasks.ts dead purge -f 8d0d1d0a-6b3c-4a55-9d0f-5f0f7a2a8f0e`

async function list(context: CommandContext, { limit = 100, queues }: DeadFlags): Promise<void> {
  const { app } = await context.openApp()
  let count = 0
  for (const queue of chooseQueues(app, queues)) {
    let left = limit
    // One more tells whether there are more.
    for await (const letter of app.deadLetters(queue).list({ limit: limit + 1 })) {
      if (left-- > 0) process.stdout.write(`${deadLetterLine(letter)}\n`)
      else writeToStderr(`celery: there are more from ${queue}; see --limit\n`)
      count++
    }
  }
  if (count === 0) writeToStderr('celery: there are no dead messages\n')
}

async function show(context: CommandContext, ids: readonly string[], { queues }: DeadFlags): Promise<void> {
  const { app } = await context.openApp()
  const found = new Set<string>()
  for (const queue of chooseQueues(app, queues)) {
    for await (const letter of app.deadLetters(queue).list()) {
      if (!ids.includes(letter.id)) continue
      if (found.size > 0) process.stdout.write('\n')
      process.stdout.write(deadLetterText(letter))
      found.add(letter.id)
    }
  }
  assertAllFound(ids, found)
}

async function requeue(context: CommandContext, ids: readonly string[], flags: DeadFlags): Promise<void> {
  const selection = selectionOf(ids, flags)
  const { app } = await context.openApp()
  const found = new Set<string>()
  const refused: string[] = []
  for (const queue of chooseQueues(app, flags.queues)) {
    const { requeued, unreadable } = await app.deadLetters(queue).requeue(selection)
    process.stdout.write(`Put ${messages(requeued.length)} back into ${queue}.\n`)
    for (const id of [...requeued, ...unreadable]) found.add(id)
    refused.push(...unreadable)
  }
  if (refused.length > 0) {
    const what = `${messages(refused.length)} cannot be read, so that no worker could take them, and stay`
    writeToStderr(`celery: ${what}: ${refused.map((id) => printable(id)).join(', ')}\n`)
    context.status = 1
  }
  assertAllFound(ids, found)
}

async function purge(context: CommandContext, ids: readonly string[], flags: DeadFlags): Promise<void> {
  const selection = selectionOf(ids, flags)
  const { app } = await context.openApp()
  const queues = chooseQueues(app, flags.queues)
  const what = selection === 'all' ? 'all dead messages' : `${messages(ids.length)} of the dead ones`
  if (flags.force !== true && !(await confirm(`This deletes ${what} of ${queues.join(', ')}.`))) {
    context.status = 1
    return
  }
  const found = new Set<string>()
  for (const queue of queues) {
    const remembered: DeadLetterSelection = selection === 'all' ? 'all' : (letter) => remember(letter, ids, found)
    process.stdout.write(`Deleted ${messages(await app.deadLetters(queue).purge(remembered))} of ${queue}.\n`)
  }
  assertAllFound(ids, found)
}

function remember({ id }: DeadLetter, ids: readonly string[], found: Set<string>): boolean {
  if (!ids.includes(id)) return false
  found.add(id)
  return true
}

function selectionOf(ids: readonly string[], { all }: DeadFlags): 'all' | readonly string[] {
  if ((all === true) === ids.length > 0) throw new UsageError('which ones? Give their ids, or --all and no ids')
  return all === true ? 'all' : ids
}

function assertAllFound(ids: readonly string[], found: ReadonlySet<string>): void {
  const missing = ids.filter((id) => !found.has(id))
  if (missing.length > 0) throw new UnknownDeadLetterError(missing)
}

function messages(count: number): string {
  return `${count} ${count === 1 ? 'message' : 'messages'}`
}
