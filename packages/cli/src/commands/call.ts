import type { Celery } from '@celery/app'
import { writeToStderr } from '@celery/app/internal'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { parseJsonOption, parseMomentOption, parseNumberOption, parseTimeOption } from '../parse-option.ts'
import { UsageError } from '../usage-error.ts'

interface CallFlags {
  readonly args?: readonly unknown[]
  readonly kwargs?: Readonly<Record<string, unknown>>
  readonly eta?: Date
  readonly countdown?: number
  readonly expires?: number | Date
  readonly queue?: string
  readonly exchange?: string
  readonly routingKey?: string
  readonly serializer?: string
  readonly unchecked?: boolean
}

/** `celery call NAME`: sends a task and prints its id. */
export function callCommand(program: Command, context: CommandContext): void {
  program
    .command('call <name>')
    .description('send a task by name and print its id')
    .option('-a, --args <json>', 'positional arguments, a JSON array', parseJsonOption('an array', Array.isArray))
    .option('-k, --kwargs <json>', 'keyword arguments, a JSON object', parseJsonOption('an object', isObject))
    .option('--eta <iso8601>', 'not before this time', parseTimeOption)
    .option('--countdown <seconds>', 'not before so many seconds from now', parseNumberOption)
    .option('--expires <when>', 'not after so many seconds from now, or this time in ISO 8601', parseMomentOption)
    .option('--serializer <name>', 'how the message is encoded (default: the setting taskSerializer)')
    .option('--queue <name>', 'send it to this queue')
    .option('--exchange <name>', 'send it to this exchange')
    .option('--routing-key <key>', 'with this routing key')
    .option('--unchecked', 'send it although the app has no such task, or it takes other arguments')
    .addHelpText('after', examples)
    .action(async (name: string, flags: CallFlags) => {
      const { app, location } = await context.openApp()
      await app.loadModules()
      const { args = [], unchecked, ...options } = flags
      const isDeclared = app.tasks.has(name)
      if (!isDeclared && unchecked !== true && location !== undefined) checkName(app, name, location.file)
      // A task of the app checks what it takes, and where tasks run eagerly would run here: `call` sends, as Celery's.
      const isChecked = isDeclared && unchecked !== true && !app.conf.taskAlwaysEager
      const result = await (isChecked
        ? app.tasks.lookUp(name).applyAsync(args, options)
        : app.sendTask(name, args, options))
      process.stdout.write(`${result.id}\n`)
    })
}

const examples = `
Examples:
  celery -A ./tasks.ts call tasks.add -a '[2, 3]'
  celery -A ./tasks.ts call tasks.add -a '[2]' -k '{"y": 3}' --countdown 10 --expires 60
  celery -b sqlite:////srv/queue.db call reports.daily --queue reports     a task that lives elsewhere, without an app`

/** A task may live elsewhere; a slip of the keyboard does not. */
function checkName(app: Celery, name: string, file: string): void {
  const closest = app.closestTask(name)
  if (closest !== undefined) {
    throw new UsageError(
      `no task "${name}" is declared in ${file}; did you mean "${closest}"? With --unchecked it is sent all the same`,
    )
  }
  writeToStderr(`celery: no task "${name}" is declared in ${file}; sent all the same, for workers that have it\n`)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
