import { inspect } from 'node:util'
import { parseBrokerUrl } from '@celery/transport'
import { snakeCase } from './name-spelling.ts'

/** What secrets are called, as in Celery's bug reports. */
const secretNames = /API|TOKEN|KEY|SECRET|PASS|PROFANITIES_LIST|SIGNATURE|DATABASE|BEAT_DBURI/i
const mask = '********'

/** Whether the value of a setting is not to be shown. */
export function hidesValue(name: string): boolean {
  return secretNames.test(name) || secretNames.test(snakeCase(name)) || /url|backend/i.test(name)
}

/** The settings without secrets: what is called like one is masked, passwords in URLs too, at any depth. */
export function censorSettings(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, censor(name, value)]))
}

/** One setting to a line. */
export function settingLines(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : inspect(value, { breakLength: 50 })}`)
    .join('\n')
}

function censor(name: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => censor(name, item))
  if (isPlainObject(value)) return censorSettings(value)
  if (value === undefined || value === null || typeof value === 'boolean') return value
  if (secretNames.test(name) || secretNames.test(snakeCase(name))) return mask
  return typeof value === 'string' && value.includes('://') ? withoutPassword(value) : value
}

function withoutPassword(url: string): string {
  try {
    const address = parseBrokerUrl(url)
    return [address, ...address.alternates].join(';')
  } catch {
    return mask
  }
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
