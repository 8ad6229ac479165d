import { readdirSync, readFileSync } from 'node:fs'
import { decodeEnvelope, type WireMessage } from '../src/index.ts'

/** Versions of Celery whose messages and records lie in `golden/`. */
export const VERSIONS = ['4.3', '5.2', '5.6'] as const

/** A file of `golden/tasks/`, but for those that are called `tolerance`. */
export interface TaskCase {
  /** What was called, in Python. */
  readonly call?: string
  /** Why Python itself could not send it. */
  readonly error?: string
  readonly result_as_tuple?: unknown
  readonly messages?: readonly (RedisMessage | AmqpMessage)[]
}

interface RedisMessage {
  readonly raw: string
  readonly decoded: {
    /** The body after decompression. */
    readonly body: unknown
    readonly headers: Readonly<Record<string, unknown>>
    readonly properties: Readonly<Record<string, unknown>>
  }
}

interface AmqpMessage {
  readonly properties: Readonly<Record<string, unknown>> & {
    readonly content_type: string
    readonly content_encoding: string
    readonly application_headers: Readonly<Record<string, unknown>>
  }
  readonly body: string | { readonly base64: string }
  readonly body_decoded: unknown
}

/** A message that Python sent, as a worker gets it, beside what Python's tools saw in it. */
export interface Recorded {
  /** The file it lies in, and its place there. */
  readonly name: string
  /** The call it was made by, a file name as well. */
  readonly call: string
  /** From Redis, the text that lay in the list. */
  readonly raw?: string
  readonly message: WireMessage
  readonly headers: Readonly<Record<string, unknown>>
  readonly properties: Readonly<Record<string, unknown>>
  readonly body: unknown
}

/** When these were read, the message of the case before had just arrived: it lies in the file of the next. */
const LATE: ReadonlyMap<string, string> = new Map([
  ['amqp-4.3/argsrepr_long 0', 'argsrepr'],
  ['amqp-4.3/serializer_yaml 0', 'serializer_chain_json'],
  ['amqp-5.2/reply_to 0', 'delivery_mode_transient'],
  ['amqp-5.2/serializer_json 0', 'utc_disabled_eta'],
])

/** All messages of a folder of `golden/tasks/`. */
export function readMessages(folder: string): Recorded[] {
  return readFolder<TaskCase>(`tasks/${folder}`).flatMap(([file, { messages = [] }]) =>
    messages.map((recorded, index): Recorded => {
      const name = `${folder}/${file} ${index}`
      return { name, call: LATE.get(name) ?? file, ...('raw' in recorded ? fromRedis(recorded) : fromAmqp(recorded)) }
    }),
  )
}

type Content = Pick<Recorded, 'raw' | 'message' | 'headers' | 'properties' | 'body'>

function fromRedis({ raw, decoded: { headers, properties, body } }: RedisMessage): Content {
  return { raw, message: decodeEnvelope(raw), headers, properties, body }
}

function fromAmqp({ properties: all, body, body_decoded }: AmqpMessage): Content {
  const { content_type: contentType, content_encoding: contentEncoding, application_headers: headers, ...rest } = all
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : Buffer.from(body.base64, 'base64')
  return {
    message: { body: bytes, contentType, contentEncoding, headers, properties: rest },
    headers,
    properties: rest,
    body: body_decoded,
  }
}

/** A file `golden/tasks/tolerance-*`. */
export interface ToleranceFile {
  readonly cases: readonly ToleranceCase[]
}

export interface ToleranceCase {
  readonly case: string
  readonly message: unknown
  readonly outcome: string
}

export function readGolden<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`golden/${path}`, import.meta.url), 'utf8')) as T
}

/** Name and content of every file in a folder of `golden/`. */
export function readFolder<T>(path: string): [name: string, content: T][] {
  return readdirSync(new URL(`golden/${path}`, import.meta.url)).map((file) => [
    file.replace('.json', ''),
    readGolden<T>(`${path}/${file}`),
  ])
}
