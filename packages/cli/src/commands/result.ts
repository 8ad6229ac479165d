import { inspect } from 'node:util'
import type { Command } from 'commander'
import { UnknownTaskIdError } from '../cli-errors.ts'
import { loadApp } from '../load-app.ts'
import { parseAmountOption } from '../parse-option.ts'

/** `celery result ID`: prints what a task returned, or how it failed. */
export function resultCommand(program: Command): void {
  program
    .command('result <id>')
    .description('print the return value of a task')
    .option('--traceback', 'print the traceback of a failed task instead')
    .option('--wait <seconds>', 'wait so long for a task that has not ended', parseAmountOption)
    .action(async (id: string, flags: { readonly traceback?: boolean; readonly wait?: number }) => {
      const { app } = await loadApp(program.opts<{ app?: string }>().app)
      await using _closing = app
      const result = app.asyncResult(id)
      if (flags.wait !== undefined) await result.get({ timeout: flags.wait, propagate: false })
      const { state, result: value, traceback } = await result.meta()
      if (state === 'PENDING') throw new UnknownTaskIdError(id)
      if (flags.traceback === true) process.stdout.write(`${traceback ?? '(no traceback)'}\n`)
      else process.stdout.write(`${format(state, value)}\n`)
      if (state === 'FAILURE' || state === 'REVOKED') process.exitCode = 1
    })
}

function format(state: string, value: unknown): string {
  if (state === 'SUCCESS') return typeof value === 'string' ? value : inspect(value, { depth: 10 })
  const detail = value instanceof Error ? `${value.name}: ${value.message}` : inspect(value, { depth: 10 })
  return `${state}: ${detail}`
}
