import { camelCase } from './name-spelling.ts'
import type { SettingKinds } from './setting-kinds.ts'
import { settingName } from './setting-names.ts'
import { type SettingName, settingDefinitions } from './settings.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'

export interface ConfigOverrideOptions {
  /** The section of a name that begins with a dot: `worker` for `celery worker`. */
  readonly section: string
}

/**
 * The settings of `celery worker -- worker.prefetch_multiplier=1 .concurrency=4`, by canonical name: `section.name=value`,
 * or `.name=value` for the program's own section. The value is read as the setting's type says, or as the one in front of it:
 * `(int)`, `(float)`, `(bool)`, `(str)`; lists and objects are JSON.
 * @throws ImproperlyConfiguredError which names the argument.
 */
export function parseConfigOverrides(argv: readonly string[], options: ConfigOverrideOptions): Record<string, unknown> {
  return Object.fromEntries(argv.map((argument) => parseOverride(argument, options.section)))
}

function parseOverride(argument: string, section: string): [SettingName, unknown] {
  const equals = argument.indexOf('=')
  if (equals < 1) throw wrong(argument, 'has no value: write NAME=VALUE, section.name=VALUE, or .name=VALUE')
  const key = argument.slice(0, equals)
  const name = key.startsWith('.') || key.startsWith('_') ? `${section}_${key.slice(1)}` : key.replace('.', '_')
  const canonical = settingName(camelCase(name), new Set()) as SettingName
  const [, type, text = ''] = /^(?:\((\w+)\))?(.*)$/s.exec(argument.slice(equals + 1)) ?? []
  const read = type === undefined ? readersOfKinds[settingDefinitions[canonical].kind] : castReader(argument, type)
  const value = read(text)
  if (value === undefined) throw wrong(argument, `cannot be read as ${type ?? settingDefinitions[canonical].kind}`)
  const { choices } = settingDefinitions[canonical]
  return [canonical, choices?.find((choice) => String(choice) === value) ?? value]
}

type Reader = (text: string) => unknown

const asText: Reader = (text) => text
const asBoolean: Reader = (text) =>
  /^(true|yes|on|1)$/i.test(text) ? true : /^(false|no|off|0)$/i.test(text) ? false : undefined

function asNumber(text: string): number | undefined {
  const number = Number(text)
  return text.trim() === '' || Number.isNaN(number) ? undefined : number
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const firstOf =
  (...readers: readonly Reader[]): Reader =>
  (text) => {
    for (const read of readers) {
      const value = read(text)
      if (value !== undefined) return value
    }
    return undefined
  }

const readersOfKinds: Readonly<Record<keyof SettingKinds, Reader>> = {
  boolean: asBoolean,
  count: asNumber,
  integer: asNumber,
  priority: asNumber,
  number: asNumber,
  seconds: asNumber,
  milliseconds: asNumber,
  text: asText,
  choice: asText,
  list: asJson,
  urls: asText,
  options: asJson,
  transportOptions: asJson,
  tls: firstOf(asBoolean, asJson),
  rate: firstOf(asNumber, asText),
  retryPolicy: asJson,
  queues: asJson,
  failover: asText,
  routes: firstOf(asJson, asText),
  annotations: asJson,
  any: firstOf(asJson, asText),
}

const casts: Readonly<Record<string, Reader>> = {
  int: asNumber,
  float: asNumber,
  bool: asBoolean,
  str: asText,
  string: asText,
  any: asText,
  json: asJson,
  tuple: asJson,
  list: asJson,
  dict: asJson,
}

function castReader(argument: string, type: string): Reader {
  const reader = Object.hasOwn(casts, type) ? casts[type] : undefined
  if (reader === undefined) throw wrong(argument, `names no type; known are ${Object.keys(casts).join(', ')}`)
  return reader
}

/** Only what stands before the equals sign is told: a value may be secret. */
function wrong(argument: string, problem: string): ImproperlyConfiguredError {
  const name = argument.split('=', 1)[0] ?? ''
  return new ImproperlyConfiguredError(name, `the setting "${name}" on the command line ${problem}`)
}
