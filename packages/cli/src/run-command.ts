import { readFileSync } from 'node:fs'
import { printableLines, writeToStderr } from '@celery/app/internal'
import { Command, CommanderError } from 'commander'
import { CommandContext, type CommandOptions } from './command-context.ts'
import { callCommand } from './commands/call.ts'
import { deadCommand } from './commands/dead.ts'
import { healthCommand } from './commands/health.ts'
import { laterCommands } from './commands/later.ts'
import { purgeCommand } from './commands/purge.ts'
import { reportCommand } from './commands/report.ts'
import { resultCommand } from './commands/result.ts'
import { shellCommand } from './commands/shell.ts'
import { workerCommand } from './commands/worker.ts'
import { configureCommand } from './configure-command.ts'
import { describeFailure, exitStatus, exitUsage } from './failures.ts'
import { addGlobalOptions, type GlobalFlags } from './global-options.ts'

/**
 * Runs one `celery` command, `['-A', './tasks.ts', 'call', 'add']` for example, and resolves to its exit status. What goes
 * wrong is printed to standard error.
 */
export async function runCommand(args: readonly string[], options: CommandOptions = {}): Promise<number> {
  const program = new Command('celery')
    .description('A distributed task queue.')
    .version(version(), '-V, --version', 'print the version')
  const context = new CommandContext(options, () => program.opts<GlobalFlags>())
  addGlobalOptions(program)
  program.commandsGroup('Commands:')
  workerCommand(program, context)
  callCommand(program, context)
  resultCommand(program, context)
  shellCommand(program, context)
  purgeCommand(program, context)
  deadCommand(program, context)
  healthCommand(program, context)
  reportCommand(program, context)
  laterCommands(program)
  program.addHelpText('after', examples)
  configureCommand(program)
  try {
    await using _closing = context
    await program.parseAsync([...args], { from: 'user' })
    return context.status
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitUsage
    // It may say what a message or a stored result said.
    writeToStderr(`celery: ${printableLines(describeFailure(error, context))}\n`)
    return exitStatus(error)
  }
}

const examples = `
Examples:
  celery -A ./tasks.ts worker -l INFO               run tasks
  celery -A ./tasks.ts call tasks.add -a '[2, 3]'   send one
  celery worker --help                              the options of a command

The options of all commands may stand before or after the command's name. In the environment every option is called
CELERY_<OPTION>, those of a command CELERY_<COMMAND>_<OPTION>: CELERY_APP, CELERY_WORKER_CONCURRENCY.`

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string
  }
  return version
}
