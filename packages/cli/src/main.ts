import type { CommandOptions } from './command-context.ts'
import { runCommand } from './run-command.ts'

/** Milliseconds that a process gets to end by itself when its command is done. A part of the 2 s that a stop may take. */
const endTimeoutMs = 500

/**
 * The `celery` command as a program: runs it and sets the process's exit code. The process ends half a second later at the
 * latest: what the app's own modules keep open, a database for example, does not keep it from ending.
 */
export async function main(argv: readonly string[] = process.argv, options: CommandOptions = {}): Promise<void> {
  // Whoever reads this has seen enough: `celery dead list | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    throw error
  })
  process.exitCode = await runCommand(argv.slice(2), options)
  setTimeout(() => process.exit(), endTimeoutMs).unref()
}
