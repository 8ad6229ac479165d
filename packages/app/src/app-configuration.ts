import { AppEvent } from './app-event.ts'
import { type Configuration, createConfiguration, type SettingsInput } from './configuration.ts'
import { loadSettings } from './load-settings.ts'
import type { SettingLayers } from './setting-layers.ts'
import type { Settings } from './settings.ts'
import { ImproperlyConfiguredError, ModuleNotFoundError } from './setup-errors.ts'

export interface ConfigSourceOptions {
  /** Only names that begin with it are read, in capitals: with `'CELERY'`, `CELERY_BROKER_URL`. @defaultValue all, as they are */
  readonly namespace?: string
  /** Reads it now instead of when a setting is first used, so that mistakes in it are found here. @defaultValue `false` */
  readonly force?: boolean
}

export interface ConfigModuleOptions extends ConfigSourceOptions {
  /** A module that is not there is no error. @defaultValue `false` */
  readonly silent?: boolean
}

/** URLs that the environment sets, above the configuration, as in Celery. */
const environmentUrls = {
  brokerUrl: 'CELERY_BROKER_URL',
  brokerReadUrl: 'CELERY_BROKER_READ_URL',
  brokerWriteUrl: 'CELERY_BROKER_WRITE_URL',
  resultBackend: 'CELERY_RESULT_BACKEND',
} as const

export interface AppConfigurationOptions {
  /** What the app was made with, below what the environment says; later ones go before earlier ones. */
  readonly options: readonly object[]
  readonly warn: (message: string) => void
  readonly env?: NodeJS.ProcessEnv
}

/** Where the settings of an app come from, and when they are read: when one is first used. */
export class AppConfiguration {
  /** The configuration is about to be read. */
  readonly onConfigure: AppEvent<{ readonly conf: Configuration }> = new AppEvent()
  /** The configuration has been read. */
  readonly onAfterConfigure: AppEvent<{ readonly conf: Configuration }> = new AppEvent()
  readonly conf: Configuration
  /** The same values without the cost of a proxy; call {@link read} before. */
  readonly settings: Readonly<Settings>
  readonly #layers: SettingLayers
  /** What is done when the configuration is read: the object or module first, then further defaults. */
  #readSource: (() => void) | undefined
  readonly #readDefaults: (() => void)[] = []
  #read = false
  #hasSource = false
  #loading: string | undefined

  constructor({ env = process.env, options, warn }: AppConfigurationOptions) {
    const { conf, layers, settings } = createConfiguration({ warn, beforeRead: () => this.read() })
    this.conf = conf
    this.settings = settings
    this.#layers = layers
    for (const given of options) layers.assign('options', given)
    const urls = Object.entries(environmentUrls).map(([name, variable]) => [name, env[variable]])
    layers.assign('environment', Object.fromEntries(urls.filter(([, url]) => url !== undefined && url !== '')))
  }

  /** Whether it has a configuration object or module. */
  get hasSource(): boolean {
    return this.#hasSource
  }

  /**
   * Reads what is to be read, the first time. @throws ImproperlyConfiguredError for settings that cannot be right, and while
   * a module of them is still being loaded.
   */
  read(): void {
    if (this.#read) return
    if (this.#loading !== undefined) {
      throw new ImproperlyConfiguredError(
        this.#loading,
        `the settings are still being loaded from ${this.#loading}; await configFromObject() before the app is used`,
      )
    }
    this.#read = true
    try {
      this.onConfigure.happen({ conf: this.conf })
      this.#readSource?.()
      this.#readSource = undefined
      for (const read of this.#readDefaults.splice(0)) read()
    } catch (error) {
      this.#read = false
      throw error
    }
    this.onAfterConfigure.happen({ conf: this.conf })
  }

  fromObject(source: object, { force = false, namespace }: ConfigSourceOptions): void {
    this.#reset()
    this.#hasSource = true
    this.#readSource = () => this.#layers.assign('source', source, namespace)
    if (force) this.read()
  }

  async fromModule(module: string | URL, options: ConfigModuleOptions): Promise<void> {
    this.#reset()
    this.#loading = String(module)
    let source: object
    try {
      source = await loadSettings(module)
    } catch (error) {
      if (options.silent && error instanceof ModuleNotFoundError) return
      throw error
    } finally {
      this.#loading = undefined
    }
    this.fromObject(source, options)
  }

  async fromEnvironment(variable: string, options: ConfigModuleOptions): Promise<void> {
    const module = process.env[variable]
    if (module !== undefined && module !== '') return this.fromModule(module, options)
    if (options.silent) return
    throw new ImproperlyConfiguredError(
      variable,
      `the environment variable ${variable} is not set; set it to the module of the settings, ./celery.config.js for example`,
    )
  }

  addDefaults(defaults: SettingsInput | (() => SettingsInput)): void {
    const fill = this.#layers.addDefaults()
    if (typeof defaults !== 'function') fill(defaults)
    else if (this.#read) fill(defaults())
    else this.#readDefaults.push(() => fill(defaults()))
  }

  /** Makes changes; the returned function takes them back, and those that were made after them. */
  substitute(changes: SettingsInput): () => void {
    const restore = this.#layers.keepChanges()
    this.#layers.assign('changes', changes)
    return restore
  }

  /** As in Celery, another source takes the place of the one before and of changes made since that was read. */
  #reset(): void {
    this.#layers.clear('source')
    if (this.#read) this.#layers.clear('changes')
    this.#readSource = undefined
    this.#hasSource = false
    this.#read = false
  }
}
