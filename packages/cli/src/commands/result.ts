import { inspect } from 'node:util'
import { printableLines } from '@celery/app/internal'
import type { Command } from 'commander'
import { UnknownTaskIdError } from '../cli-errors.ts'
import type { CommandContext } from '../command-context.ts'
import { parseAmountOption } from '../parse-option.ts'

interface ResultFlags {
  readonly task?: string
  readonly traceback?: boolean
  readonly wait?: number
}

/** `celery result ID`: prints what a task returned, or how it failed. */
export function resultCommand(program: Command, context: CommandContext): void {
  program
    .command('result <id>')
    .description('print the return value of a task, or how it failed')
    .option('-t, --task <name>', 'name of the task; it must be one of the app')
    .option('--traceback', 'print the traceback of a failed task instead')
    .option('--wait <seconds>', 'wait so long for a task that has not ended', parseAmountOption)
    .action(async (id: string, flags: ResultFlags) => {
      const { app } = await context.openApp()
      if (flags.task !== undefined) {
        await app.loadModules()
        if (!app.tasks.has(flags.task)) {
          const { NotRegisteredError } = await import('@celery/app')
          throw new NotRegisteredError(flags.task, app.closestTask(flags.task))
        }
      }
      const result = app.asyncResult(id)
      if (flags.wait !== undefined) await result.get({ timeout: flags.wait, propagate: false })
      const { state, result: value, traceback } = await result.meta()
      if (state === 'PENDING') throw new UnknownTaskIdError(id)
      const text = flags.traceback === true ? (traceback ?? '(no traceback)') : format(state, value)
      process.stdout.write(`${printableLines(text)}\n`)
      if (state === 'FAILURE' || state === 'REVOKED') context.status = 1
    })
}

function format(state: string, value: unknown): string {
  if (state === 'SUCCESS') return typeof value === 'string' ? value : inspect(value, { depth: 10 })
  const detail = value instanceof Error ? `${value.name}: ${value.message}` : inspect(value, { depth: 10 })
  return `${state}: ${detail}`
}
