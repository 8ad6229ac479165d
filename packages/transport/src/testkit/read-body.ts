import type { Delivery } from '../broker-connection.ts'

/** The body of a delivery as text, read by itself and not by the code under test. */
export function readBody(delivery: Delivery): string {
  return Buffer.from(readBytes(delivery)).toString('utf8')
}

/** The body of a delivery as bytes. */
export function readBytes(delivery: Delivery): Uint8Array {
  const { payload } = delivery
  if (typeof payload === 'object' && !(payload instanceof Uint8Array)) return Buffer.from(payload.body)
  const { body, properties } = readEnvelope(delivery)
  return Buffer.from(body, properties['body_encoding'] === 'base64' ? 'base64' : 'utf8')
}

/** Headers and properties of a delivery, however its broker carries them. */
export function readEnvelope(delivery: Delivery): Envelope {
  const { payload } = delivery
  if (typeof payload === 'object' && !(payload instanceof Uint8Array)) {
    const { headers, properties, contentType, contentEncoding } = payload
    return { body: '', headers, properties, 'content-type': contentType, 'content-encoding': contentEncoding }
  }
  return JSON.parse(typeof payload === 'string' ? payload : Buffer.from(payload).toString('utf8')) as Envelope
}

export interface Envelope {
  readonly body: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: Readonly<Record<string, unknown>>
  readonly 'content-type': string
  readonly 'content-encoding': string
}
