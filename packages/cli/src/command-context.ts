import type { Celery } from '@celery/app'
import { applyGlobalOptions, type GlobalFlags } from './global-options.ts'
import { type LoadedApp, loadApp } from './load-app.ts'
import { UsageError } from './usage-error.ts'

type ShellNames = Readonly<Record<string, unknown>>

/** What the command needs from whoever runs it. Functions, as most commands need none of it. */
export interface CommandOptions {
  /** The app that commands are about where no `-A` is given. */
  readonly app?: Celery
  /** Makes an app for commands that are about a broker only, given by its URL. @defaultValue there is none: `-A` is needed */
  readonly newApp?: () => Celery | Promise<Celery>
  /** Gives what `celery shell` has by name, besides the app and its tasks. @defaultValue nothing */
  readonly shellNames?: () => ShellNames | Promise<ShellNames>
}

/** One run of the command: its options, the app, and how it will end. */
export class CommandContext implements AsyncDisposable {
  /** Exit status. */
  status = 0
  readonly #options: CommandOptions
  readonly #flags: () => GlobalFlags
  #opened: LoadedApp | undefined

  constructor(options: CommandOptions, flags: () => GlobalFlags) {
    this.#options = options
    this.#flags = flags
  }

  get flags(): GlobalFlags {
    return this.#flags()
  }

  async shellNames(): Promise<ShellNames> {
    return (await this.#options.shellNames?.()) ?? {}
  }

  /** What `openApp` has opened. */
  get opened(): LoadedApp | undefined {
    return this.#opened
  }

  /** The app of the command line, with the options of all commands applied. @throws UsageError where there is none. */
  async openApp(): Promise<LoadedApp> {
    const { flags } = this
    applyGlobalOptions(flags)
    this.#opened = flags.app === undefined ? await this.#withoutModule() : await loadApp(flags.app)
    return this.#opened
  }

  /** Closes the app, unless it was handed over. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#opened !== undefined && this.#opened.app !== this.#options.app) await this.#opened.app.close()
  }

  async #withoutModule(): Promise<LoadedApp> {
    const { app: given, newApp } = this.#options
    const { broker, config, resultBackend } = this.flags
    if (given !== undefined) {
      // It was made before the environment was changed.
      if (broker !== undefined) given.conf.brokerUrl = broker
      if (resultBackend !== undefined) given.conf.resultBackend = resultBackend
      return { app: given, location: undefined }
    }
    const { CELERY_BROKER_URL, CELERY_CONFIG_MODULE } = process.env
    if (newApp === undefined || (broker ?? config ?? CELERY_BROKER_URL ?? CELERY_CONFIG_MODULE) === undefined) {
      throw new UsageError('which app? Name its module with -A, for example: celery -A ./tasks.ts worker')
    }
    const app = await newApp()
    await app.configure()
    return { app, location: undefined }
  }
}
