import { readdirSync, readFileSync } from 'node:fs'
import { CeleryError } from '@celery/promises'
import { encodeEnvelope } from '@celery/protocol'
import {
  type CompressionRegistry,
  DateTime,
  Decimal,
  PlainDate,
  type SerializerRegistry,
  TimeOfDay,
  Uuid,
} from '@celery/serialization'

/** A good message to begin with. */
export interface Seed {
  /** As it lies in a queue; its body in base64. */
  readonly envelope: string
  /** In its headers, or in the body of protocol 1; always of 36 characters. */
  readonly id: string
}

/** Messages as Python sent them, of every version, protocol, format and compression. */
const recordings = new URL('../../../packages/protocol/test/golden/tasks/', import.meta.url)

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/

/** Messages that Python sent over Redis, whose envelopes are those of the embedded broker. */
export function recordedSeeds(): Seed[] {
  const folders = readdirSync(recordings).filter((name) => name.includes('redis'))
  return folders.flatMap((folder) =>
    readdirSync(new URL(`${folder}/`, recordings)).flatMap((file) => {
      const { messages = [] } = JSON.parse(readFileSync(new URL(`${folder}/${file}`, recordings), 'utf8')) as Recording
      return messages.flatMap(({ raw }) => (raw === undefined ? [] : recordedSeed(raw)))
    }),
  )
}

interface Recording {
  readonly messages?: readonly { readonly raw?: string }[]
}

function recordedSeed(envelope: string): Seed[] {
  const { headers, body } = JSON.parse(envelope) as {
    readonly headers: { readonly id?: string }
    readonly body: string
  }
  const id = headers.id ?? uuid.exec(Buffer.from(body, 'base64').toString('latin1'))?.[0]
  return id === undefined ? [] : [{ envelope, id }]
}

/** Values that formats have ways of their own to write. */
const values: readonly unknown[] = [
  [1, -1, 2 ** 40, 2n ** 70n, 1.5, true, null],
  ['text', 'Grüße 💥', '', new Uint8Array([0, 255, 10])],
  { nested: { list: [[], {}, [[1]]] }, ['__proto__']: 'data' },
  [new DateTime('2030-01-02T03:04:05.123456+00:00'), new PlainDate('2030-01-02'), new TimeOfDay('03:04:05')],
  [new Decimal('1.10'), new Uuid('f0000000-0000-4000-8000-000000000001')],
]

/** What each serializer writes of such values; those that it cannot write are left out. */
export function encodedSamples(serializers: SerializerRegistry, name: string): Uint8Array[] {
  return values.flatMap((value) => {
    try {
      return [bytesOf(serializers.encode(value, name).body)]
    } catch (error) {
      if (CeleryError.is(error, 'ERR_CELERY_ENCODE')) return []
      throw error
    }
  })
}

/** A message of ours in each serializer, and in each compression. */
export function ownSeeds(
  serializers: SerializerRegistry,
  compressions: CompressionRegistry,
  names: { readonly serializers: readonly string[]; readonly compressions: readonly string[] },
): Seed[] {
  return names.serializers.flatMap((serializer) =>
    [undefined, ...names.compressions].map((compression, index) => {
      const id = `0e110000-0000-4000-8000-${String(index).padStart(12, '0')}`
      const data = [[1, 'two', [3]], { key: 'value' }, { callbacks: null, errbacks: null, chain: null, chord: null }]
      const { body, contentType, contentEncoding } = serializers.encode(data, serializer)
      const packed = compression === undefined ? undefined : compressions.compress(body, compression)
      const envelope = encodeEnvelope(
        {
          body: packed?.body ?? body,
          contentType,
          contentEncoding,
          headers: { lang: 'py', task: 'wapp.add', id, root_id: id, compression: packed?.contentType ?? null },
          properties: { correlation_id: id, delivery_mode: 2 },
        },
        { exchange: '', routingKey: 'celery', deliveryTag: id, bodyEncoding: 'base64' },
      )
      return { envelope, id }
    }),
  )
}

export function bytesOf(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body, 'utf8') : body
}

/** Result records as Python stored them. */
export function recordedResults(): Uint8Array[] {
  const results = new URL('../results/', recordings)
  return readdirSync(results)
    .filter((folder) => folder.startsWith('filesystem'))
    .flatMap((folder) =>
      readdirSync(new URL(`${folder}/`, results)).map((file) => new URL(`${folder}/${file}`, results)),
    )
    .flatMap((url) => Object.values((JSON.parse(readFileSync(url, 'utf8')) as StoredFiles).files ?? {}))
    .filter((content) => typeof content === 'string')
    .map((content) => Buffer.from(content, 'utf8'))
}

interface StoredFiles {
  readonly files?: Readonly<Record<string, unknown>>
}
