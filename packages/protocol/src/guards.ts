/** An object with keys, not an array; what JSON calls an object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const SHORT_ASCII = /^[\x20-\x7e]{1,255}$/
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/**
 * Whether `value` can be the name or id of something: 1 to 255 printable characters. It becomes part of keys, file
 * names and log lines, and lone surrogates would become equal in stores that hold UTF-8.
 */
export function isName(value: unknown): value is string {
  if (typeof value !== 'string') return false
  return SHORT_ASCII.test(value) || (value.length > 0 && value.length <= 255 && !UNPRINTABLE.test(value))
}

/** The largest count we take from outside; the range of an AMQP integer. */
const MAX_COUNT = 2_147_483_647

export function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_COUNT
}

/** Ten years, in seconds: a longer limit is a mistake, and no timer can hold it. */
export const MAX_TIME_LIMIT = 315_360_000

/** Seconds; 0 means none. */
export function isTimeLimit(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_TIME_LIMIT
}

/** AMQP has a byte for it. Brokers with fewer levels take what is above their last one for that. */
export const MAX_PRIORITY = 255

export function isPriority(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_PRIORITY
}
