import { mutateEnvelope, Random } from '@celery/protocol/testkit'
import { type Codecs, compressionNames, structuredSerializers } from './codecs.ts'
import { bytesOf, type Seed } from './seeds.ts'

/** A spoiled message. */
export interface Case {
  /** By which the broker knows it. */
  readonly tag: string
  readonly payload: string | Uint8Array
  readonly priority: number
  /** What was done to it, for the report of a failure. */
  readonly steps: readonly string[]
}

/** Makes the case of that number: always the same for the same seeds and the same `seed`. */
export function makeCase(seeds: readonly Seed[], codecs: Codecs, seed: number, number: number): Case {
  const random = new Random(Math.imul(seed, 0x9e37_79b1) + number)
  const mutation = mutateEnvelope(withOwnId(random.pick(seeds), number), random.below(2 ** 31))
  const steps = [...mutation.steps]
  const payload = repacked(mutation.payload, codecs, random, steps)
  return { tag: `fuzz-${seed}-${number}`, payload, priority: random.below(10), steps }
}

/** Results are looked up by id, so that each message has one of its own. It is as long as the one before: formats count. */
function withOwnId({ envelope, id }: Seed, number: number): string {
  const own = `${number.toString(16).padStart(8, '0')}-f022-4000-8000-000000000000`
  const fields = JSON.parse(envelope.replaceAll(id, own)) as { body: string }
  const body = Buffer.from(fields.body, 'base64').toString('latin1').replaceAll(id, own)
  return JSON.stringify({ ...fields, body: Buffer.from(body, 'latin1').toString('base64') })
}

/**
 * Spoiled JSON in another format or under a compression, now and then: changed bytes alone hardly ever get past the
 * outer layers.
 */
function repacked(payload: string | Uint8Array, codecs: Codecs, random: Random, steps: string[]): string | Uint8Array {
  if (random.below(3) > 0 || typeof payload !== 'string') return payload
  const fields = record(payload)
  if (fields === undefined || typeof fields['body'] !== 'string') return payload
  let body: Uint8Array = Buffer.from(fields['body'], 'base64')
  const changes: Record<string, unknown> = {}
  if (random.below(2) === 0) {
    const serializer = random.pick(structuredSerializers)
    const encoded = transcoded(body, codecs, serializer)
    if (encoded === undefined) return payload
    body = bytesOf(encoded.body)
    changes['content-type'] = encoded.contentType
    changes['content-encoding'] = encoded.contentEncoding
    steps.push(`body written as ${serializer}`)
  }
  if (random.below(2) === 0) {
    const compression = random.pick(compressionNames)
    const packed = codecs.compressions.compress(body, compression)
    body = bytesOf(packed.body)
    changes['headers'] = { ...(fields['headers'] as object), compression: packed.contentType }
    steps.push(`body compressed with ${compression}`)
  }
  try {
    return JSON.stringify({ ...fields, ...changes, body: Buffer.from(body).toString('base64') })
  } catch {
    // Nested deeper than this goes.
    return payload
  }
}

function transcoded(body: Uint8Array, { serializers }: Codecs, serializer: string) {
  try {
    return serializers.encode(JSON.parse(Buffer.from(body).toString('utf8')), serializer)
  } catch {
    // Nothing that this format can say.
    return undefined
  }
}

function record(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}
