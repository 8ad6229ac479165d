import type { AnyArgs } from '@celery/canvas'
import { CeleryError } from '@celery/promises'
import {
  decodeMessageHeaders,
  decodeTaskBody,
  parseIsoTime,
  type SignatureData,
  type TaskHeaders,
  type WireMessage,
} from '@celery/protocol'
import type { CompressionRegistry, SerializerRegistry } from '@celery/serialization'
import type { Publication } from '@celery/transport'

/** A call as the broker got it: everything is read back from the message. */
export interface SentTask<Args extends AnyArgs = AnyArgs> {
  readonly task: string
  readonly id: string
  readonly args: Args
  readonly kwargs: Readonly<Record<string, unknown>>
  /** The queue, or the routing key where it went to an exchange. */
  readonly queue: string
  /** `''` is the default one, whose routing keys are queues. */
  readonly exchange: string
  /** Seconds from sending until it may start; 0 for at once. */
  readonly countdown: number
  /** It does not start before. */
  readonly eta: Date | undefined
  /** It does not start after. */
  readonly expires: Date | undefined
  readonly priority: number
  /** 0 unless it is a retry. */
  readonly retries: number
  readonly rootId: string
  /** The task that has sent it. */
  readonly parentId: string | undefined
  readonly groupId: string | undefined
  /** Seconds. */
  readonly timeLimit: number | undefined
  /** Seconds. */
  readonly softTimeLimit: number | undefined
  readonly shadow: string | undefined
  /** Called with its result. */
  readonly link: readonly SentStep[]
  /** Called where it fails. */
  readonly linkError: readonly SentStep[]
  /** What comes after it, in this order. */
  readonly chain: readonly SentStep[]
  /** Headers of the message, the user's own among them, as they are on the wire. */
  readonly headers: Readonly<Record<string, unknown>>
  /** Properties of the message, as they are on the wire. */
  readonly properties: Readonly<Record<string, unknown>>
  readonly contentType: string
  readonly sentAt: Date
}

/** A call that a message carries along, to be made later. */
export interface SentStep {
  readonly task: string
  readonly args: AnyArgs
  readonly kwargs: Readonly<Record<string, unknown>>
  /** Takes no result in front of its arguments. */
  readonly immutable: boolean
}

export interface Codecs {
  readonly serializers: SerializerRegistry
  readonly compressions: CompressionRegistry
}

/** Reads what was sent; `undefined` where it is no task message. */
export function readSent(
  { exchange, message, routingKey }: Publication,
  codecs: Codecs,
  nowMs: number,
): SentTask | undefined {
  let content: ReturnType<typeof readTask>
  try {
    content = readTask(message, codecs)
  } catch (error) {
    if (error instanceof CeleryError) return undefined
    throw error
  }
  const { body, headers } = content
  const etaMs = timeOf(headers.eta)
  const expiresMs = timeOf(headers.expires)
  return {
    task: headers.task,
    id: headers.id,
    args: body.args,
    kwargs: body.kwargs,
    queue: routingKey,
    exchange,
    countdown: etaMs === undefined ? 0 : (etaMs - nowMs) / 1_000,
    eta: etaMs === undefined ? undefined : new Date(etaMs),
    expires: expiresMs === undefined ? undefined : new Date(expiresMs),
    priority: message.properties.priority ?? 0,
    retries: headers.retries,
    rootId: headers.root_id,
    parentId: headers.parent_id ?? undefined,
    groupId: headers.group ?? undefined,
    timeLimit: headers.timelimit[0] ?? undefined,
    softTimeLimit: headers.timelimit[1] ?? undefined,
    shadow: headers.shadow ?? undefined,
    link: stepsOf(body.embed.callbacks),
    linkError: stepsOf(body.embed.errbacks),
    // On the wire the next one is the last.
    chain: stepsOf(body.embed.chain).toReversed(),
    headers: message.headers,
    properties: { ...message.properties },
    contentType: message.contentType,
    sentAt: new Date(nowMs),
  }
}

/** What counts when two signatures are compared. */
export function stepOf({ args, immutable, kwargs, task }: SignatureData): SentStep {
  return { task, args, kwargs, immutable }
}

function stepsOf(signatures: readonly SignatureData[] | null): readonly SentStep[] {
  return (signatures ?? []).map(stepOf)
}

/** The headers of a task message, of either protocol. @throws CeleryError where it is none */
export function readHeaders(message: WireMessage, codecs: Codecs): TaskHeaders {
  return decodeMessageHeaders(message, (each) => readContent(each, codecs))
}

function readTask(message: WireMessage, codecs: Codecs) {
  return { headers: readHeaders(message, codecs), body: decodeTaskBody(readContent(message, codecs)) }
}

function readContent({ body, contentEncoding, contentType, headers }: WireMessage, codecs: Codecs): unknown {
  const { compressions, serializers } = codecs
  const { compression } = headers
  const plain = typeof compression === 'string' ? compressions.decompress(body, compression) : body
  // It was encoded here a moment ago: nothing that anybody has to accept.
  return serializers.decode(plain, contentType, contentEncoding, { accept: new Set([contentType]) })
}

function timeOf(text: string | null): number | undefined {
  return text === null ? undefined : parseIsoTime(text)
}
