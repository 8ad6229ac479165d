import type { QueueDeclaration } from '@celery/transport'
import { parseObject } from './parse-object.ts'
import { replyTexts } from './reply.ts'

/** What a queue is that is not a plain one; kept in the server, for whoever uses it. */
export type QueueTraits = Pick<QueueDeclaration, 'autoDelete' | 'exclusive' | 'expiresMs' | 'messageTtlMs'>

export function traitsOf(queue: QueueDeclaration): QueueTraits {
  const { autoDelete, exclusive } = queue
  const [expiresMs, messageTtlMs] = [queue.expiresMs, queue.messageTtlMs].map(wholeTime)
  return {
    ...(autoDelete === true ? { autoDelete } : {}),
    ...(exclusive === true ? { exclusive } : {}),
    ...(expiresMs === undefined ? {} : { expiresMs }),
    ...(messageTtlMs === undefined ? {} : { messageTtlMs }),
  }
}

export function readTraits(text: string): QueueTraits | undefined {
  const value = parseObject(text)
  if (value === undefined) return undefined
  const { autoDelete, exclusive, expiresMs, messageTtlMs } = value
  return {
    ...(autoDelete === true ? { autoDelete } : {}),
    ...(exclusive === true ? { exclusive } : {}),
    ...(isTime(expiresMs) ? { expiresMs } : {}),
    ...(isTime(messageTtlMs) ? { messageTtlMs } : {}),
  }
}

/** Of the hash of all. */
export function readAllTraits(reply: unknown): [string, QueueTraits][] {
  // RESP3 answers with a map, which the client hands on as an object or as a flat list.
  const entries = Array.isArray(reply)
    ? replyTexts(reply).flatMap((name, at, all) => (at % 2 === 0 ? [[name, all[at + 1] ?? ''] as const] : []))
    : Object.entries(typeof reply === 'object' && reply !== null ? reply : {})
  return entries.flatMap(([name, text]) => {
    const traits = typeof text === 'string' ? readTraits(text) : undefined
    return traits === undefined ? [] : [[name, traits]]
  })
}

/** The server takes whole milliseconds, and 0 not at all. */
function wholeTime(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.max(1, Math.ceil(ms))
}

/** Anybody can write there: what is no time must not take a queue away. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 1 && value <= 1e13
}
