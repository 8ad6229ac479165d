import { readFileSync } from 'node:fs'
import { CeleryError } from '@celery/promises'
import { Command, CommanderError } from 'commander'
import { callCommand } from './commands/call.ts'
import { resultCommand } from './commands/result.ts'
import { workerCommand } from './commands/worker.ts'
import { UsageError } from './usage-error.ts'

/** Exit statuses of `sysexits.h`, as Celery's. */
const exitUsage = 64
const exitFailure = 1
const exitCannotCreate = 73

/** Milliseconds that a process gets to end by itself when its command is done. A part of the 2 s that a stop may take. */
const endTimeoutMs = 500

/** Runs the `celery` command and sets the process's exit code. The process ends half a second later at the latest. */
export async function main(argv: readonly string[] = process.argv): Promise<void> {
  const program = new Command('celery')
    .description('A distributed task queue.')
    .version(version(), '--version', 'print the version')
    .option('-A, --app <module>', 'module that creates the app, such as ./tasks.ts or ./proj/celery.js:app')
    .exitOverride()
    .showHelpAfterError('(celery --help shows what there is)')
  workerCommand(program)
  callCommand(program)
  resultCommand(program)
  try {
    await program.parseAsync([...argv])
  } catch (error) {
    process.exitCode = report(error)
  }
  // What the app's own modules keep open, a database for example, does not keep the command from ending.
  setTimeout(() => process.exit(), endTimeoutMs).unref()
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitUsage
  if (error instanceof UsageError) {
    process.stderr.write(`celery: ${error.message}\n`)
    return exitUsage
  }
  if (CeleryError.is(error, 'ERR_CELERY_PID_FILE')) {
    process.stderr.write(`celery: ${error.message}\n`)
    return exitCannotCreate
  }
  if (CeleryError.is(error)) process.stderr.write(`celery: ${error.message}\n`)
  else process.stderr.write(`celery: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return exitFailure
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string
  }
  return version
}
