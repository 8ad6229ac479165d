import { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import {
  decodeEnvelope,
  decodeMessageHeaders,
  decodeTaskBody,
  type TaskBody,
  type TaskHeaders,
  type WireMessage,
} from '../src/index.ts'

export interface Received {
  readonly message: WireMessage
  readonly headers: TaskHeaders
  readonly body: TaskBody
}

const serializers = new SerializerRegistry()
const compressions = new CompressionRegistry()

/** Decompresses and deserializes, as far as that is built in. */
function readBody({ body, headers, contentType, contentEncoding }: WireMessage): unknown {
  const { compression } = headers
  const plain = typeof compression === 'string' ? compressions.decompress(body, compression) : body
  return serializers.decode(plain, contentType, contentEncoding)
}

/** What a worker does with a payload, or with what AMQP hands it. */
export function receive(received: string | Uint8Array | WireMessage): Received {
  const isPayload = typeof received === 'string' || received instanceof Uint8Array
  const message = isPayload ? decodeEnvelope(received) : received
  return { message, headers: decodeMessageHeaders(message, readBody), body: decodeTaskBody(readBody(message)) }
}
