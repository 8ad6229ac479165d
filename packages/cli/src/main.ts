import { writeToStderr } from '@celery/app/internal'
import type { CommandOptions } from './command-context.ts'
import { runCommand } from './run-command.ts'

/** Milliseconds that a process gets to end by itself when its command is done. A part of the 2 s that a stop may take. */
const endTimeoutMs = 500

/**
 * The `celery` command as a program: runs it and sets the process's exit code. The process ends half a second later at the
 * latest: what the app's own modules keep open, a database for example, does not keep it from ending.
 */
export async function main(argv: readonly string[] = process.argv, options: CommandOptions = {}): Promise<void> {
  let isOutputLost = false
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    // Whoever reads this has seen enough: `celery dead list | head`.
    if (code === 'EPIPE' || isOutputLost) return
    isOutputLost = true
    writeToStderr(`celery: cannot write to standard output: ${message}\n`)
    process.exitCode ||= 1
  })
  const status = await runCommand(argv.slice(2), options)
  process.exitCode = isOutputLost ? status || 1 : status
  setTimeout(() => process.exit(), endTimeoutMs).unref()
}
