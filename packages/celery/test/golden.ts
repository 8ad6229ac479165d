import { readdirSync, readFileSync } from 'node:fs'
import { encodeEnvelope } from '@celery/protocol'

/** Versions of Celery whose messages were recorded. The recordings belong to `@celery/protocol`. */
export const versions = ['4.3', '5.2', '5.6'] as const

/** What a task is called with, as Python's own tools read it out of the message. */
export interface GoldenMessage {
  /** The file it lies in, and its place there. */
  readonly name: string
  /** An envelope as it lies in a list of Redis. */
  readonly payload: string
  readonly id: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly eta: string | null
  readonly expires: string | null
  readonly ignoresResult: boolean
  /** What is to run after it. */
  readonly chain: unknown
}

/** Files of calls of more than one task. */
const canvas =
  /^(?:chain|chord|chunks|group$|group_in|map|xmap|serializer_chain|stamped_chain|stamped_links|v1_chain|v1_chord)/

/** All messages of a folder that call a single task. */
export function goldenMessages(folder: string): readonly GoldenMessage[] {
  return readdirSync(new URL(`tasks/${folder}/`, golden)).flatMap((file) => {
    const name = file.replace('.json', '')
    if (canvas.test(name)) return []
    const { messages = [] } = readFile(`tasks/${folder}/${file}`) as { messages?: readonly RecordedMessage[] }
    const read = messages.map((recorded, index) => readMessage(`${folder}/${name} ${index}`, recorded))
    // Some arrived late, and lie in the file of the next call.
    return read.filter(({ chain }) => chain === null)
  })
}

/** Messages that Python's workers were tried with, by name. */
export function toleranceCases(version: string): readonly (readonly [name: string, message: unknown])[] {
  const { cases } = readFile(`tasks/tolerance-${version}.json`) as {
    cases: readonly { case: string; message: unknown }[]
  }
  return cases.map((each) => [each.case, each.message])
}

type Fields = Readonly<Record<string, unknown>>
type RecordedMessage = RedisMessage | AmqpMessage

interface RedisMessage {
  readonly raw: string
  readonly decoded: { readonly body: unknown; readonly headers: Fields }
}

interface AmqpMessage {
  readonly properties: Fields & {
    readonly content_type: string
    readonly content_encoding: string
    readonly application_headers: Fields
  }
  readonly body: string | { readonly base64: string }
  readonly body_decoded: unknown
}

const golden = new URL('../../protocol/test/golden/', import.meta.url)

function readFile(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, golden), 'utf8'))
}

function readMessage(name: string, recorded: RecordedMessage): GoldenMessage {
  const isRedis = 'raw' in recorded
  const headers = isRedis ? recorded.decoded.headers : recorded.properties.application_headers
  const body = isRedis ? recorded.decoded.body : recorded.body_decoded
  // In protocol 1 all of it stands in the body.
  const about = headers['task'] === undefined ? (body as Fields) : headers
  const [args, kwargs] = argumentsOf(body)
  return {
    name,
    payload: isRedis ? recorded.raw : envelopeOf(name, recorded),
    id: about['id'] as string,
    task: about['task'] as string,
    args,
    kwargs,
    eta: (about['eta'] ?? null) as string | null,
    expires: (about['expires'] ?? null) as string | null,
    ignoresResult: headers['ignore_result'] === true,
    chain: Array.isArray(body) ? ((body[2] as Fields)['chain'] ?? null) : null,
  }
}

function argumentsOf(body: unknown): readonly [args: readonly unknown[], kwargs: Fields] {
  if (Array.isArray(body)) return body as unknown as [readonly unknown[], Fields]
  const { args, kwargs } = body as { args?: readonly unknown[]; kwargs?: Fields }
  // Who recorded them did not look into pickles; that call was made with every serializer.
  return args === undefined ? [[1, 'é', null, 2.5, true, [1, { a: 'b' }]], { k: 'v' }] : [args, kwargs ?? {}]
}

function envelopeOf(name: string, { body, properties: all }: AmqpMessage): string {
  const { content_type: contentType, content_encoding: contentEncoding, application_headers: headers, ...rest } = all
  const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.base64, 'base64')
  return encodeEnvelope(
    { body: bytes, contentType, contentEncoding, headers, properties: rest },
    { exchange: '', routingKey: 'celery', deliveryTag: name, bodyEncoding: 'base64' },
  )
}
