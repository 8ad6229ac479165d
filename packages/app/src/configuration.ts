import type { PublishRetryPolicy } from '@celery/messaging'
import { camelCase, isOldStyle, snakeCase } from './name-spelling.ts'
import type { SettingDefinition } from './setting-kinds.ts'
import { SettingLayers } from './setting-layers.ts'
import { isSetting, settingName } from './setting-names.ts'
import { type SettingName, type Settings, settingDefinitions } from './settings.ts'
import { censorSettings, settingLines } from './show-settings.ts'

/** Settings by name, read and written as properties: `app.conf.taskAcksLate = true`, `app.conf.task_acks_late`. */
export type Configuration = Settings & ConfigurationMethods

export interface ShowSettingsOptions {
  /** Also what nobody set. @defaultValue `false` */
  readonly withDefaults?: boolean
  /** Masks secrets. @defaultValue `true` */
  readonly censored?: boolean
}

export interface FoundOption {
  readonly name: SettingName
  readonly definition: SettingDefinition
}

export interface ConfigurationMethods {
  /** Changes several settings at once, or none where one of them cannot be right. */
  update(changes: SettingsInput): void
  /** Registers a name that a plug-in reads, so that setting it is no mistake. */
  declare(name: string): void
  /** The settings as text, one to a line, secrets masked. */
  humanize(options?: ShowSettingsOptions): string
  /** The settings as a plain object, secrets masked; what a plug-in declared as `_name` is left out. */
  table(options?: ShowSettingsOptions): Record<string, unknown>
  /** What was set by somebody, as it is, secrets included. */
  withoutDefaults(): Record<string, unknown>
  /** Whether somebody set it. */
  valueSetFor(name: string): boolean
  /**
   * The setting of that name, complete or without its first word, as in Celery: `disable_rate_limits`. Of several, the one of
   * `namespace` (`'worker'`) comes first.
   */
  findOption(name: string, namespace?: string): FoundOption | undefined
  /** The value of {@link findOption}. */
  findValueForKey(name: string, namespace?: string): unknown
  /** The value of the setting whose name has these parts: `getByParts('worker', 'disable_rate_limits')`. */
  getByParts(...parts: string[]): unknown
}

/**
 * Settings of plug-ins, which apps may have besides those of Celery: `declare module '@celery/app' { interface SettingExtras {
 * mailSender?: string } }`. At run time the plug-in declares them: `app.conf.declare('mail_sender')`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: others add to it
export interface SettingExtras {}

/** Settings as a user may write them: either spelling of any of them, `taskRoutes` or `task_routes`, and Celery 3's names. */
export type SettingsInput = GivenSettings & SnakeCased<GivenSettings & SettingExtras> & SettingExtras & OldSettings

type GivenSettings = Partial<WithNull<Omit<Settings, 'taskPublishRetryPolicy'>>> & {
  /** What it leaves out is as by default. */
  taskPublishRetryPolicy?: GivenPolicy | undefined
}

/** What a program alone can say, which errors to try again after, is no setting. */
type PolicySetting = Omit<PublishRetryPolicy, 'retryErrors'>

type GivenPolicy = Partial<PolicySetting> & SnakeCased<Partial<PolicySetting>>

/** `null` is Python's `None`, which sets none: where there can be none. */
type WithNull<Of> = { [Name in keyof Of]: undefined extends Of[Name] ? Of[Name] | null : Of[Name] }

/** As Celery's documentation writes them. */
type SnakeCased<Of> = { [Name in keyof Of as SnakeCase<Name & string>]: Of[Name] }

/** `taskAcksLate` → `task_acks_late` */
type SnakeCase<Name extends string> = Name extends `${infer Letter}${infer Rest}`
  ? `${Letter extends Lowercase<Letter> ? Letter : `_${Lowercase<Letter>}`}${SnakeCase<Rest>}`
  : Name

/** `CELERY_ACKS_LATE`: which names there are is known at run time only. */
type OldSettings = {
  readonly [name: Uppercase<`${string}_${string}`>]: unknown
}

export interface ConfigurationOptions {
  /** Told once for each setting that is known and has no effect, and for each old name. */
  readonly warn: (message: string) => void
  /** Called before a setting is read. */
  readonly beforeRead?: () => void
}

export interface CreatedConfiguration {
  /** What users read and write. */
  readonly conf: Configuration
  /** The same values, live, without the cost of a proxy: for what is read with every message. */
  readonly settings: Readonly<Settings>
  readonly layers: SettingLayers
}

/** Makes the settings of an app. Unknown names are refused, with the nearest known one. */
export function createConfiguration({ beforeRead, warn }: ConfigurationOptions): CreatedConfiguration {
  const layers = new SettingLayers(warn)
  const methods = configurationMethods(layers, () => beforeRead?.())
  const conf = new Proxy(layers.values, {
    get(target, name) {
      if (typeof name === 'symbol') return Reflect.get(target, name)
      if (Object.hasOwn(methods, name)) return methods[name as keyof ConfigurationMethods]
      const canonical = canonicalName(name, layers)
      if (canonical === undefined) return undefined
      beforeRead?.()
      return target[canonical]
    },
    set(_target, name, value) {
      if (typeof name === 'symbol') return false
      if (value === undefined) layers.unset(settingName(name, layers.declared))
      else layers.assign('changes', { [name]: value })
      return true
    },
    has: (_target, name) => typeof name === 'string' && canonicalName(name, layers) !== undefined,
  }) as unknown as Configuration
  return { conf, settings: layers.values as unknown as Settings, layers }
}

function configurationMethods(layers: SettingLayers, read: () => void): ConfigurationMethods {
  const { values } = layers
  const table = ({ censored = true, withDefaults = false }: ShowSettingsOptions = {}): Record<string, unknown> => {
    read()
    const shown = Object.entries(withDefaults ? values : layers.given()).filter(([name]) => !name.startsWith('_'))
    return censored ? censorSettings(Object.fromEntries(shown)) : Object.fromEntries(shown)
  }
  const findValueForKey = (name: string, namespace?: string): unknown => {
    const found = findOption(name, namespace)
    read()
    return found === undefined ? undefined : values[found.name]
  }
  return {
    update: (changes) => layers.assign('changes', changes),
    declare: (name) => void layers.declared.add(camelCase(name)),
    table,
    humanize: (options) => settingLines(table(options)),
    withoutDefaults() {
      read()
      return layers.given()
    },
    valueSetFor(name) {
      read()
      return Object.hasOwn(layers.given(), settingName(name, layers.declared))
    },
    findOption,
    findValueForKey,
    getByParts: (...parts) => findValueForKey(parts.filter((part) => part !== '').join('_')),
  }
}

function findOption(name: string, namespace = ''): FoundOption | undefined {
  const wanted = camelCase(name)
  const ending = `_${snakeCase(wanted)}`
  const names = Object.keys(settingDefinitions) as SettingName[]
  const endings = names.filter((each) => snakeCase(each).endsWith(ending))
  const preferred = namespace === '' ? undefined : endings.find((each) => each.startsWith(namespace.toLowerCase()))
  const found = preferred ?? (isSetting(wanted) ? wanted : endings[0])
  return found === undefined ? undefined : { name: found, definition: settingDefinitions[found] }
}

/** The name under which it is kept, or `undefined` for what is no setting: reading one is no error in JavaScript. */
function canonicalName(name: string, layers: SettingLayers): string | undefined {
  if (Object.hasOwn(layers.values, name)) return name
  const canonical = camelCase(name)
  if (Object.hasOwn(layers.values, canonical) || layers.declared.has(canonical)) return canonical
  if (!isOldStyle(name)) return undefined
  try {
    return settingName(name, layers.declared)
  } catch {
    return undefined
  }
}
