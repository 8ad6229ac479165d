import { DateTime } from 'celery'

/** Native values as JSON can hold them: `{ $bytes }` in hexadecimal and `{ $datetime }` in ISO 8601 stand for what it cannot. */
export function toPlain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('hex') }
  // Every moment at UTC, to the millisecond: what differs in the zone alone is the same.
  if (value instanceof Date) return { $datetime: value.toISOString() }
  if (Array.isArray(value)) return value.map(toPlain)
  return isObject(value) ? mapValues(value, toPlain) : value
}

/** The other way. */
export function toNative(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toNative)
  if (!isObject(value)) return value
  const { $bytes: bytes, $datetime: datetime } = value
  if (typeof bytes === 'string') return new Uint8Array(Buffer.from(bytes, 'hex'))
  if (typeof datetime === 'string') return new DateTime(datetime)
  return mapValues(value, toNative)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function mapValues(object: Record<string, unknown>, map: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]))
}
