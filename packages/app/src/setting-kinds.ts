import { inspect } from 'node:util'
import type { FailoverStrategy, PublishRetryPolicy } from '@celery/messaging'
import type { TaskQueuesSetting } from './described-queue.ts'
import { areLimitsInOrder } from './limit-order.ts'
import { camelCase } from './name-spelling.ts'
import { priorityRule } from './priority.ts'
import { isPolicyName, isPolicyValue } from './publish-policy.ts'
import { rateRule } from './rate-rule.ts'
import { ImproperlyConfiguredError } from './setup-errors.ts'
import { censorSettings, hidesValue } from './show-settings.ts'
import type { RateLimit, TaskAnnotations } from './task.ts'
import type { TaskRoutes } from './task-routes.ts'

/** What is known of a setting. */
export interface SettingDefinition {
  readonly kind: keyof SettingKinds
  /** `undefined`: none. */
  readonly default: unknown
  /** Of the kind `choice`: what it may be. */
  readonly choices?: readonly (string | number)[]
  /** `null` means something of its own. */
  readonly orNull?: true
  /** Accepted, and said once to be without effect: what it is for comes with a later release. */
  readonly later?: true
  /** Accepted, and said once to be without effect, for this reason. */
  readonly declined?: string
  /** Celery has no such setting. */
  readonly ours?: true
}

/** What the values of a kind of setting are. */
export interface SettingKinds {
  readonly boolean: boolean
  /** A whole number, 0 or more. */
  readonly count: number
  readonly integer: number
  /** 0 to 255. */
  readonly priority: number
  readonly number: number
  /** 0 or more; fractions are fine. */
  readonly seconds: number
  /** 0 or more. */
  readonly milliseconds: number
  readonly text: string
  /** One of `choices`. */
  readonly choice: never
  readonly list: readonly string[]
  readonly urls: string | readonly string[]
  /** Given on as it is. */
  readonly options: Readonly<Record<string, unknown>>
  /** Given on as it is. Some of it is about sending. */
  readonly transportOptions: Readonly<Record<string, unknown>>
  readonly tls: boolean | Readonly<Record<string, unknown>>
  readonly rate: RateLimit
  readonly retryPolicy: PublishRetryPolicy
  readonly failover: FailoverStrategy
  readonly queues: TaskQueuesSetting
  readonly routes: TaskRoutes
  readonly annotations: TaskAnnotations
  readonly any: unknown
}

interface Kind {
  /** Completes "must be …". */
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
  /** Makes what is kept of what was given. */
  readonly read?: (value: unknown, definition: SettingDefinition) => unknown
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && !Number.isNaN(value)
const isText = (value: unknown): value is string => typeof value === 'string'
const isListOfTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText)
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const isAmount = (value: unknown): boolean => isNumber(value) && value >= 0

const kinds: Readonly<Record<keyof SettingKinds, Kind>> = {
  boolean: { expected: 'true or false', accepts: (value) => typeof value === 'boolean' },
  count: { expected: 'a whole number, 0 or more', accepts: (value) => Number.isSafeInteger(value) && isAmount(value) },
  integer: { expected: 'a whole number', accepts: Number.isSafeInteger },
  priority: { expected: priorityRule.expected, accepts: priorityRule.test },
  number: { expected: 'a number', accepts: isNumber },
  seconds: { expected: 'a number of seconds, 0 or more', accepts: isAmount },
  milliseconds: { expected: 'a number of milliseconds, 0 or more', accepts: isAmount },
  text: { expected: 'a text', accepts: isText },
  choice: { expected: 'one of its choices', accepts: () => true },
  list: { expected: 'a list of texts', accepts: isListOfTexts },
  urls: { expected: 'a URL or a list of URLs', accepts: (value) => isText(value) || isListOfTexts(value) },
  options: { expected: 'an object', accepts: isObject },
  transportOptions: {
    expected: 'an object, with numbers for maxRetries, intervalStart, intervalStep and intervalMax',
    accepts: areTransportOptions,
  },
  tls: { expected: 'true, false or an object', accepts: (value) => typeof value === 'boolean' || isObject(value) },
  rate: { expected: rateRule.expected, accepts: rateRule.test },
  retryPolicy: {
    expected: 'an object with some of maxRetries, intervalStart, intervalStep and intervalMax, numbers in seconds',
    accepts: isRetryPolicy,
    read: (value, definition) => ({ ...(definition.default as object), ...camelCaseKeys(value as object) }),
  },
  failover: {
    expected: "'round-robin', 'shuffle' or a function that yields brokers",
    accepts: (value) => value === 'round-robin' || value === 'shuffle' || typeof value === 'function',
  },
  queues: {
    expected: 'a list of queues, or an object of names and what they are',
    accepts: (value) => typeof value === 'object' && value !== null,
  },
  routes: {
    expected: 'an object, a list or a function',
    accepts: (value) => (typeof value === 'object' && value !== null) || typeof value === 'function' || isText(value),
  },
  annotations: {
    expected: 'an object, a function or a list of them',
    accepts: (value) => (typeof value === 'object' && value !== null) || typeof value === 'function',
  },
  any: { expected: 'anything', accepts: () => true },
}

/**
 * What is kept of `value`: `null` means none, as Python's None, unless the setting has a meaning of its own for it.
 * @throws ImproperlyConfiguredError which names the setting, the value and what is expected.
 */
export function readSetting(name: string, definition: SettingDefinition, value: unknown): unknown {
  if (value === undefined || value === null) {
    if (value === null && definition.orNull) return null
    if (definition.default === undefined) return undefined
  }
  const { choices } = definition
  const kind = kinds[definition.kind]
  const fits = choices === undefined ? kind.accepts(value) : choices.includes(value as string)
  if (fits) return kind.read === undefined ? value : kind.read(value, definition)
  const expected =
    choices === undefined ? kind.expected : `one of ${choices.map((choice) => inspect(choice)).join(', ')}`
  const orNull = definition.orNull ? ' or null' : ''
  // Some of what an object says may be secret, too.
  const given = hidesValue(name) ? `a ${typeof value}` : inspect(censorSettings({ [name]: value })[name], shortly)
  throw new ImproperlyConfiguredError(name, `the setting ${name} must be ${expected}${orNull}, not ${given}`)
}

/**
 * Limits that are given together; what one of them is laid over may be about to change too, so that a worker asks again.
 * @throws ImproperlyConfiguredError
 */
export function assertSettingLimitsInOrder(given: ReadonlyMap<string, unknown>): void {
  const [hard, soft] = ['taskTimeLimit', 'taskSoftTimeLimit'].map((name) => given.get(name) as number | undefined)
  if (areLimitsInOrder(hard, soft)) return
  throw new ImproperlyConfiguredError(
    'taskSoftTimeLimit',
    `the setting taskSoftTimeLimit must be at most taskTimeLimit, which is ${hard}, not ${soft}`,
  )
}

const shortly = { depth: 0, maxStringLength: 80, maxArrayLength: 3, breakLength: Number.POSITIVE_INFINITY } as const

function isRetryPolicy(value: unknown): boolean {
  if (!isObject(value)) return false
  const parts = Object.entries(camelCaseKeys(value as object))
  return parts.every(([name, part]) => isPolicyName(name) && isPolicyValue(name, part))
}

function areTransportOptions(value: unknown): boolean {
  if (!isObject(value)) return false
  const parts = Object.entries(camelCaseKeys(value as object))
  return parts.every(([name, part]) => !isPolicyName(name) || part === undefined || isPolicyValue(name, part))
}

function camelCaseKeys(value: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [camelCase(name), part]))
}
