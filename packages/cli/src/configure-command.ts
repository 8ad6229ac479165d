import { type Command, InvalidArgumentError, type Option } from 'commander'

/** Truth as people write it into the environment. */
const truth = /^(1|true|yes|on)$/i

/** Nothing to set, or read by the app itself, by names of its own (`CELERY_BROKER_URL`). */
const notRead: readonly (string | undefined)[] = [undefined, '--version', '--broker', '--result-backend', '--config']

/** How every command of ours behaves: what it does instead of ending the process, and where else its options may stand. */
export function configureCommand(program: Command): void {
  for (const command of commandsOf(program)) {
    command.exitOverride().showHelpAfterError('(--help shows what there is)').configureHelp({ showGlobalOptions: true })
  }
  program.hook('preAction', (_program, command) => {
    for (let each: Command | null = command; each !== null; each = each.parent) readEnvironment(each)
  })
}

function commandsOf(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap((each) => commandsOf(each))]
}

/**
 * As in Celery 5, `--concurrency` of the command `worker` is `CELERY_WORKER_CONCURRENCY` in the environment, below what the
 * command line says. (Commander's own way takes a flag for set by `CELERY_PURGE_FORCE=0`, and fills the help with names.)
 */
function readEnvironment(command: Command): void {
  for (const option of command.options) {
    const { hidden, long } = option
    if (notRead.includes(long) || hidden) continue
    const name = [...pathOf(command), option.name()].join('_').replaceAll('-', '_').toUpperCase()
    const text = process.env[name]
    const source = command.getOptionValueSource(option.attributeName())
    if (text === undefined || text === '' || (source !== undefined && source !== 'default')) continue
    const value = readValue(option, text, (problem) =>
      command.error(
        `error: option '${option.flags}' value '${text}' from ${name} in the environment is invalid. ${problem}`,
      ),
    )
    if (value !== undefined) command.setOptionValueWithSource(option.attributeName(), value, 'env')
  }
}

function readValue(option: Option, text: string, refuse: (problem: string) => never): unknown {
  if (!option.required && !option.optional) return truth.test(text) ? !option.negate : undefined
  try {
    return option.parseArg === undefined ? text : option.parseArg(text, undefined)
  } catch (error) {
    if (error instanceof InvalidArgumentError) refuse(error.message)
    throw error
  }
}

function pathOf(command: Command): readonly string[] {
  return command.parent === null ? [command.name()] : [...pathOf(command.parent), command.name()]
}
