import { createHash } from 'node:crypto'
import {
  decodeEnvelope,
  decodeMessageHeaders,
  InvalidTaskMessageError,
  isName,
  readTaskId,
  type TaskHeaders,
  type WireMessage,
} from '@celery/protocol'
import { decodeUtf8, parseJson } from '@celery/serialization'
import type { Delivery } from '@celery/transport'

/** A message that no worker could deal with. */
export interface DeadLetter {
  /** Of the task, where it can be told, else of the message, else made from what it holds. Several letters may have the same one. */
  readonly id: string
  /** Name of the task, where it can be told. */
  readonly task: string | undefined
  /** The queue that it came from. */
  readonly queue: string
  /** Why it is here, in the words of whoever put it here. */
  readonly reason: string
  /** How often the task had been retried. */
  readonly retries: number
  /** The arguments as its sender described them, `(2, 2)` and `{}`. */
  readonly argsrepr: string
  readonly kwargsrepr: string
  /** When it was to run, and until when, in ISO 8601. */
  readonly eta: string | undefined
  readonly expires: string | undefined
  /** The process that sent it. */
  readonly origin: string
  /** The message; `undefined` where what the broker holds cannot be read as one. */
  readonly message: WireMessage | undefined
  /** What is wrong with a message that cannot be read, or is no task message. */
  readonly error: Error | undefined
  /** What the broker holds. */
  readonly payload: Delivery['payload']
}

/** Where a copy says why it was made: the message itself had been acknowledged before. */
export const deadReasonHeader = 'x-celery-dead-reason'

/** Longest body of protocol 1 that is read for the name of its task. */
const maxBodyLength = 1_048_576

/** Tells of a dead message what can be told. Never throws: they are here because something is wrong with them. */
export function readDeadLetter(delivery: Delivery, queue: string): DeadLetter {
  const { message, error: unreadable } = readMessage(delivery.payload)
  const headers = message?.headers ?? {}
  const { headers: task, error } = message === undefined ? { error: unreadable } : readHeaders(message)
  return {
    id: task?.id ?? readTaskId(headers) ?? idOf(message) ?? fingerprint(delivery.payload),
    task: task?.task ?? (isName(headers['task']) ? headers['task'] : undefined),
    queue,
    reason: delivery.deadReason ?? text(headers[deadReasonHeader]) ?? error?.message ?? 'the broker does not say',
    retries: task?.retries ?? 0,
    argsrepr: task?.argsrepr ?? '',
    kwargsrepr: task?.kwargsrepr ?? '',
    eta: task?.eta ?? undefined,
    expires: task?.expires ?? undefined,
    origin: task?.origin ?? '',
    message,
    error,
    payload: delivery.payload,
  }
}

function readMessage(payload: Delivery['payload']): { readonly message?: WireMessage; readonly error?: Error } {
  if (typeof payload === 'object' && !(payload instanceof Uint8Array)) return { message: payload }
  try {
    return { message: decodeEnvelope(payload) }
  } catch (error) {
    return { error: error as Error }
  }
}

function readHeaders(message: WireMessage): { readonly headers?: TaskHeaders; readonly error?: Error } {
  try {
    return { headers: decodeMessageHeaders(message, readJsonBody) }
  } catch (error) {
    return { error: error as Error }
  }
}

/** The body of a message of protocol 1, which has the name of the task in it. */
function readJsonBody({ body, contentType }: WireMessage): unknown {
  if (contentType !== 'application/json' || body.length > maxBodyLength) {
    throw new InvalidTaskMessageError('headers.task', 'the name of a task', undefined)
  }
  return parseJson(typeof body === 'string' ? body : decodeUtf8(body, contentType))
}

function idOf(message: WireMessage | undefined): string | undefined {
  const id = message?.properties.correlation_id
  return isName(id) ? id : undefined
}

/** The same at each look, where a tag is not: that of Redis is made for one delivery. */
function fingerprint(payload: Delivery['payload']): string {
  const content = typeof payload === 'object' && !(payload instanceof Uint8Array) ? payload.body : payload
  return createHash('sha256').update(content).digest('hex').slice(0, 16)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
