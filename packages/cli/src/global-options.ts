import { type Command, Option } from 'commander'
import { UsageError } from './usage-error.ts'

/** Options of the command as a whole, before or after the name of the command that is run. */
export interface GlobalFlags {
  readonly app?: string
  readonly broker?: string
  readonly resultBackend?: string
  readonly config?: string
  readonly loader?: string
  readonly workdir?: string
  readonly quiet?: boolean
  /** `false` with `--no-color`. */
  readonly color: boolean
}

export function addGlobalOptions(program: Command): void {
  program
    .option('-A, --app <module>', 'module that creates the app: ./tasks.ts, proj, proj.celery, ./tasks.ts:app')
    .option('-b, --broker <url>', 'broker to use instead of the one in the settings')
    .option('--result-backend <url>', 'result store to use instead of the one in the settings')
    .option('--config <module>', 'module of the settings, for an app that has none of its own')
    .option('--workdir <path>', 'change to this folder first')
    .option('-q, --quiet', 'print less')
    .option('-C, --no-color', 'print without colours')
    .addOption(new Option('--loader <name>').hideHelp())
    .addOption(new Option('--skip-checks', 'there are no checks of a framework').hideHelp())
}

/**
 * Makes the options count, before the app is loaded: in the environment, as Celery does, where pool processes find them too.
 * @throws UsageError
 */
export function applyGlobalOptions(flags: GlobalFlags): void {
  if (flags.loader !== undefined) {
    throw new UsageError(
      '--loader: there are no loaders; give the module of the app with -A, or of its settings with --config',
    )
  }
  if (flags.workdir !== undefined) enter(flags.workdir)
  const given = {
    CELERY_BROKER_URL: flags.broker,
    CELERY_RESULT_BACKEND: flags.resultBackend,
    CELERY_CONFIG_MODULE: flags.config,
    NO_COLOR: flags.color ? undefined : '1',
  }
  for (const [name, value] of Object.entries(given)) if (value !== undefined) process.env[name] = value
}

function enter(folder: string): void {
  try {
    process.chdir(folder)
  } catch (error) {
    throw new UsageError(`cannot change to the folder ${folder}: ${(error as Error).message}`)
  }
}
