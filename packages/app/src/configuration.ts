import { ImproperlyConfiguredError } from './app-errors.ts'
import { celerySettings } from './celery-settings.ts'
import { closestName } from './closest-name.ts'
import { defaultSettings, type Settings } from './settings.ts'

/** Settings by name, read and written as properties: `app.conf.taskAcksLate = true`, `app.conf.task_acks_late`. */
export type Configuration = Settings & ConfigurationMethods

export interface ConfigurationMethods {
  /** Changes several settings at once. */
  update(changes: SettingsInput): void
  /** Registers a name that a plug-in reads, so that setting it is no mistake. */
  declare(name: string): void
}

/** Settings as a user may write them: either spelling of any of them. */
export type SettingsInput = Partial<Settings> & { readonly [name: string]: unknown }

export interface ConfigurationOptions {
  /** Told once for each setting that is known and has no effect. */
  readonly warn: (message: string) => void
}

export interface CreatedConfiguration {
  /** What users read and write. */
  readonly conf: Configuration
  /** The same values, live, without the cost of a proxy: for what is read with every message. */
  readonly settings: Readonly<Settings>
}

/** Makes the settings of an app. Unknown names are refused, with the nearest known one. */
export function createConfiguration(options: ConfigurationOptions): CreatedConfiguration {
  const values: Record<string, unknown> = { ...defaultSettings }
  const declared = new Set<string>()
  const warned = new Set<string>()

  function known(name: string): string {
    const canonical = camelCase(name)
    if (Object.hasOwn(defaultSettings, canonical) || declared.has(canonical)) return canonical
    if (celerySettings.has(canonical)) return canonical
    const names = [...Object.keys(defaultSettings), ...celerySettings, ...declared]
    const closest = closestName(canonical, names)
    const hint = closest === undefined ? 'see the list of settings in the documentation' : `did you mean ${closest}?`
    throw new ImproperlyConfiguredError(name, `there is no setting "${name}"; ${hint}`)
  }

  function set(name: string, value: unknown): void {
    const canonical = known(name)
    if (celerySettings.has(canonical) && !Object.hasOwn(defaultSettings, canonical) && !warned.has(canonical)) {
      warned.add(canonical)
      options.warn(`the setting ${canonical} has no effect in this release`)
    }
    values[canonical] = value
  }

  const methods: ConfigurationMethods = {
    update(changes) {
      for (const [name, value] of Object.entries(changes)) set(name, value)
    },
    declare(name) {
      declared.add(camelCase(name))
    },
  }

  const conf = new Proxy(values, {
    get(target, name) {
      if (typeof name === 'symbol') return Reflect.get(target, name)
      if (Object.hasOwn(methods, name)) return methods[name as keyof ConfigurationMethods]
      return target[camelCase(name)]
    },
    set(_target, name, value) {
      if (typeof name === 'symbol') return false
      set(name, value)
      return true
    },
    has: (target, name) => typeof name === 'string' && camelCase(name) in target,
  }) as unknown as Configuration
  return { conf, settings: values as unknown as Settings }
}

function camelCase(name: string): string {
  return name.includes('_')
    ? name.toLowerCase().replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
    : name
}
