import type { Command } from 'commander'
import { loadApp } from '../load-app.ts'
import { parseJsonOption, parseNumberOption, parseTimeOption } from '../parse-option.ts'

interface CallFlags {
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly eta?: Date
  readonly countdown?: number
  readonly expires?: number
  readonly queue?: string
  readonly exchange?: string
  readonly routingKey?: string
  readonly serializer?: string
}

/** `celery call NAME`: sends a task and prints its id. */
export function callCommand(program: Command): void {
  program
    .command('call <name>')
    .description('send a task by name and print its id')
    .option('-a, --args <json>', 'positional arguments, a JSON array', parseJsonOption('an array', Array.isArray))
    .option('-k, --kwargs <json>', 'keyword arguments, a JSON object', parseJsonOption('an object', isObject))
    .option('--eta <iso8601>', 'not before this time', parseTimeOption)
    .option('--countdown <seconds>', 'not before so many seconds from now', parseNumberOption)
    .option('--expires <seconds>', 'not after so many seconds from now', parseNumberOption)
    .option('--serializer <name>', 'how the message is encoded', 'json')
    .option('--queue <name>', 'send it to this queue')
    .option('--exchange <name>', 'send it to this exchange')
    .option('--routing-key <key>', 'with this routing key')
    .action(async (name: string, flags: CallFlags) => {
      const { app } = await loadApp(program.opts<{ app?: string }>().app)
      await using _closing = app
      const { args = [], kwargs, ...options } = flags
      const result = await app.sendTask(name, args, {
        ...options,
        ...(kwargs === undefined ? {} : { kwargs }),
      })
      process.stdout.write(`${result.id}\n`)
    })
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
