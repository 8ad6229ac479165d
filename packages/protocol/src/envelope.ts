/**
 * The JSON envelope of every broker that has no headers and properties of its own, as kombu's virtual transports
 * write it:
 *
 *     {"body": "<base64>", "content-encoding": "utf-8", "content-type": "application/json", "headers": {…},
 *      "properties": {…, "delivery_info": {"exchange": "", "routing_key": "celery"}, "priority": 0,
 *                     "body_encoding": "base64", "delivery_tag": "<unique>"}}
 *
 * Without `body_encoding` the body stands in it as it is.
 */
import { decodeUtf8, type JsonOptions, parseJson, stringifyJson } from '@celery/serialization'
import { InvalidEnvelopeError, TaskMessageTooLargeError } from './errors.ts'
import { isRecord } from './guards.ts'
import type { MessageProperties, WireMessage } from './wire-message.ts'

export interface EnvelopeAddress {
  /** `''` for the default exchange. */
  readonly exchange: string
  readonly routingKey: string
  /** Unique among the messages of the broker. */
  readonly deliveryTag: string
  /** `none` leaves a text body as it is, which is cheaper; bytes are base64 in any case. */
  readonly bodyEncoding: 'base64' | 'none'
}

export interface DecodeEnvelopeOptions extends JsonOptions {
  /** Longest envelope that is parsed at all. @defaultValue 16 MiB */
  readonly maxSizeBytes?: number
}

/** Longest envelope that is read, and so the longest that is written. */
const MAX_SIZE_BYTES = 16 * 1024 * 1024

/**
 * Put together as text: to build the object only to write it would cost as much again.
 * @throws EncodeError where a header or property is not data; TaskMessageTooLargeError where nobody would read it.
 */
export function encodeEnvelope(message: WireMessage, address: EnvelopeAddress): string {
  const { body } = message
  const verbatim = address.bodyEncoding === 'none' && typeof body === 'string'
  const envelope = `{"body":${verbatim ? JSON.stringify(body) : `"${toBase64(body)}"`},\
"content-encoding":${JSON.stringify(message.contentEncoding)},\
"content-type":${JSON.stringify(message.contentType)},\
"headers":${stringifyJson(message.headers)},\
"properties":${encodeProperties(message.properties, address, verbatim)}}`
  if (sizeExceeds(envelope, MAX_SIZE_BYTES)) {
    const { task } = message.headers
    const name = typeof task === 'string' ? task : 'a task without a name'
    throw new TaskMessageTooLargeError(name, Buffer.byteLength(envelope, 'utf8'), MAX_SIZE_BYTES)
  }
  return envelope
}

/** Room for a delivery tag, with the name of a queue in it. */
const ANY_TAG = '_'.repeat(512)
/** Bytes that one character or byte of the body becomes, at most: a control character is escaped. */
const MOST_BYTES_PER_CHARACTER = 6

/**
 * Refuses a message whose envelope would be too large, before it goes on its way. Nothing is written for a message that
 * is small enough in any case.
 *
 * @param more - Characters of what the sender wrote into headers and properties.
 * @throws TaskMessageTooLargeError
 */
export function assertEnvelopeSize(message: WireMessage, exchange: string, routingKey: string, more: number = 0): void {
  const characters = message.body.length + more + 2 * (exchange.length + routingKey.length) + 8_192
  if (characters * MOST_BYTES_PER_CHARACTER <= MAX_SIZE_BYTES) return
  encodeEnvelope(message, { exchange, routingKey, deliveryTag: ANY_TAG, bodyEncoding: 'none' })
}

function encodeProperties(properties: MessageProperties, address: EnvelopeAddress, verbatim: boolean): string {
  // Those of an envelope that was decoded before tell where it came from, not where it goes.
  const isFresh = !('delivery_tag' in properties || 'delivery_info' in properties || 'body_encoding' in properties)
  const own = stringifyJson(isFresh ? properties : withoutAddress(properties))
  return `${own === '{}' ? '{' : `${own.slice(0, -1)},`}\
"delivery_info":{"exchange":${JSON.stringify(address.exchange)},"routing_key":${JSON.stringify(address.routingKey)}},\
${properties.priority === undefined ? '"priority":0,' : ''}\
${verbatim ? '' : '"body_encoding":"base64",'}\
"delivery_tag":${JSON.stringify(address.deliveryTag)}}`
}

function withoutAddress(properties: MessageProperties): MessageProperties {
  const { delivery_tag: _t, delivery_info: _i, body_encoding: _e, ...own } = properties
  return own
}

/**
 * Reads an envelope. A base64 body comes out as bytes, any other as text.
 * @throws InvalidEnvelopeError, whatever is wrong with it.
 */
export function decodeEnvelope(payload: string | Uint8Array, options?: DecodeEnvelopeOptions): WireMessage {
  const envelope = parsePayload(payload, options)
  if (!isRecord(envelope)) throw new InvalidEnvelopeError('expected a JSON object')
  const contentType = envelope['content-type']
  if (typeof contentType !== 'string')
    throw new InvalidEnvelopeError('content-type: expected text such as "application/json"')
  // Python takes a message without encoding for UTF-8 as well.
  const contentEncoding = envelope['content-encoding'] ?? 'utf-8'
  if (typeof contentEncoding !== 'string')
    throw new InvalidEnvelopeError('content-encoding: expected text such as "utf-8"')
  // Messages of protocol 1 come without headers.
  const headers = envelope['headers'] ?? {}
  if (!isRecord(headers)) throw new InvalidEnvelopeError('headers: expected an object')
  const properties = decodeProperties(envelope['properties'])
  const body = decodeBody(envelope['body'], properties['body_encoding'])
  return { body, contentType, contentEncoding, headers, properties }
}

function parsePayload(payload: string | Uint8Array, options: DecodeEnvelopeOptions | undefined): unknown {
  const maxBytes = options?.maxSizeBytes ?? MAX_SIZE_BYTES
  if (sizeExceeds(payload, maxBytes)) throw new InvalidEnvelopeError(`larger than ${maxBytes} bytes`)
  try {
    return parseJson(typeof payload === 'string' ? payload : decodeUtf8(payload, 'application/json'), options)
  } catch (cause) {
    throw new InvalidEnvelopeError(cause instanceof Error ? cause.message : 'not readable', { cause })
  }
}

function sizeExceeds(payload: string | Uint8Array, maxBytes: number): boolean {
  if (typeof payload !== 'string') return payload.byteLength > maxBytes
  // A character is one to three bytes of UTF-8, so that mostly its length tells.
  if (payload.length > maxBytes) return true
  return payload.length * 3 > maxBytes && Buffer.byteLength(payload, 'utf8') > maxBytes
}

function decodeProperties(value: unknown): MessageProperties {
  if (!isRecord(value)) throw new InvalidEnvelopeError('properties: expected an object')
  const { delivery_tag, delivery_info } = value
  if (typeof delivery_tag !== 'string' || delivery_tag === '') {
    throw new InvalidEnvelopeError('properties.delivery_tag: expected text')
  }
  if (!isRecord(delivery_info))
    throw new InvalidEnvelopeError('properties.delivery_info: expected an object with exchange and routing_key')
  checkText(delivery_info, 'exchange', 'properties.delivery_info.exchange')
  checkText(delivery_info, 'routing_key', 'properties.delivery_info.routing_key')
  const { redelivered = null, priority: deliveredWith = null } = delivery_info
  if (redelivered !== null && typeof redelivered !== 'boolean') {
    throw new InvalidEnvelopeError('properties.delivery_info.redelivered: expected true or false')
  }
  if (deliveredWith !== null && !Number.isInteger(deliveredWith)) {
    throw new InvalidEnvelopeError('properties.delivery_info.priority: expected an integer')
  }
  return (checkProperties(value) ? withoutNulls(value) : value) as MessageProperties
}

/**
 * Checks the properties that a sender chooses.
 * @returns whether some of them are null.
 * @throws InvalidEnvelopeError
 */
export function checkProperties(value: Readonly<Record<string, unknown>>): boolean {
  const { delivery_mode, priority } = value
  let hasNull = false
  for (const key of OPTIONAL_TEXT) {
    const text = value[key]
    if (text === undefined || typeof text === 'string') continue
    if (text !== null) throw new InvalidEnvelopeError(`properties.${key} is not text`)
    hasNull = true
  }
  if (delivery_mode === null) hasNull = true
  else if (delivery_mode !== undefined && delivery_mode !== 1 && delivery_mode !== 2) {
    throw new InvalidEnvelopeError('properties.delivery_mode is not 1 or 2')
  }
  if (priority === null) hasNull = true
  else if (priority !== undefined && !Number.isInteger(priority)) {
    throw new InvalidEnvelopeError('properties.priority is not an integer')
  }
  return hasNull
}

const OPTIONAL_TEXT = ['correlation_id', 'reply_to', 'expiration'] as const
const OPTIONAL: ReadonlySet<string> = new Set([...OPTIONAL_TEXT, 'delivery_mode', 'priority'])

function checkText(holder: Readonly<Record<string, unknown>>, key: string, field: string): void {
  if (typeof holder[key] !== 'string') throw new InvalidEnvelopeError(`${field}: expected text`)
}

/** Python writes null for what is not set. */
function withoutNulls(properties: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(properties).filter(([key, value]) => value !== null || !OPTIONAL.has(key)))
}

function decodeBody(body: unknown, encoding: unknown): string | Uint8Array {
  if (typeof body !== 'string') throw new InvalidEnvelopeError('body: expected text')
  if (encoding === 'base64') return fromBase64(body)
  if (encoding === undefined || encoding === null) return body
  throw new InvalidEnvelopeError('properties.body_encoding: expected "base64" or nothing')
}

function toBase64(body: string | Uint8Array): string {
  if (typeof body === 'string') return Buffer.from(body, 'utf8').toString('base64')
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64')
}

function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length === decodedLength(text)) return bytes
  // Some writers break the lines.
  const joined = text.replace(/[\r\n]/g, '')
  if (joined.length !== text.length && bytes.length === decodedLength(joined)) return bytes
  throw new InvalidEnvelopeError('body: expected base64')
}

/** How many bytes good base64 of this length stands for. Node skips what is not base64, and so ends up with fewer. */
function decodedLength(text: string): number {
  if (text.length % 4 !== 0) return -1
  return (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)
}
