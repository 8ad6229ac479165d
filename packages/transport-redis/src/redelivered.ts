import { isUtf8 } from 'node:buffer'
import { parseJson, stringifyJson } from '@celery/serialization'
import { unwrapDead } from './dead-letter.ts'

/**
 * The same envelope as one that was delivered before: with the flags that kombu sets when it restores a message, and the
 * count of its redeliveries as a key of our own in front, which Python passes over and keeps. Whatever is no envelope
 * comes back as it is.
 */
export function asRedelivered(payload: Buffer): string | Buffer {
  const dead = unwrapDead(payload)
  if (dead !== undefined) {
    const { head, payload: inner } = dead
    return Buffer.concat([head, Buffer.from(asRedelivered(inner)), Buffer.from('}')])
  }
  const envelope = readEnvelope(payload)
  if (envelope === undefined) return payload
  const { [countKey]: count, ...rest } = envelope
  const counted = { [countKey]: readCount(count) + 1, ...withFlags(rest) }
  return stringifyJson(counted)
}

/** As kombu itself restores a message: with its flags and nothing else. */
export function asRestoredByKombu(envelope: Readonly<Record<string, unknown>>): string {
  return stringifyJson(withFlags(envelope))
}

/** How often the text of an envelope says that it was delivered before. Reads no more of it than its beginning. */
export function redeliveriesOf(envelope: string): number {
  if (!envelope.startsWith(`{"${countKey}":`)) return 0
  return Number(/^\{"x-redeliveries": ?(\d{1,9})[,}]/.exec(envelope)?.[1] ?? 0)
}

const countKey = 'x-redeliveries'

function readCount(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0
}

function withFlags(envelope: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { headers, properties } = envelope
  // As kombu: all or nothing, as soon as a part is missing.
  if (!isRecord(headers)) return envelope
  const flagged = { ...envelope, headers: { ...headers, redelivered: true } }
  if (!isRecord(properties) || !isRecord(properties['delivery_info'])) return flagged
  const deliveryInfo = { ...properties['delivery_info'], redelivered: true }
  return { ...flagged, properties: { ...properties, delivery_info: deliveryInfo } }
}

function readEnvelope(payload: Buffer): Readonly<Record<string, unknown>> | undefined {
  if (!isUtf8(payload)) return undefined
  try {
    const value = parseJson(payload.toString('utf8'))
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
