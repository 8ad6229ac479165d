/** A message as it lies in a list, and the places that keep lists in order. */
import { randomUUID } from 'node:crypto'
import type { QueueMessage } from './virtual-broker.ts'

export interface ListMessage {
  readonly tag: string
  readonly payload: string
  /** Milliseconds since 1970. */
  readonly sentMs: number
  readonly redeliveries: number
  readonly deadReason?: string
}

export function encodeListMessage(message: ListMessage): string {
  return JSON.stringify(message)
}

/** Reads an item. What this package did not write is a message too: its text is the payload, for the consumer to judge. */
export function decodeListMessage(text: string, place: string, nowMs: number): ListMessage {
  const foreign = { tag: place, payload: text, sentMs: nowMs, redeliveries: 0 }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return foreign
  }
  if (typeof value !== 'object' || value === null) return foreign
  const { tag, payload, sentMs, redeliveries, deadReason } = value as Record<string, unknown>
  if (typeof tag !== 'string' || typeof payload !== 'string') return foreign
  if (typeof sentMs !== 'number' || typeof redeliveries !== 'number') return foreign
  const message = { tag, payload, sentMs, redeliveries }
  return typeof deadReason === 'string' ? { ...message, deadReason } : message
}

/**
 * Gives places out: the higher priority first, then the earlier, and of one process in the order of the calls. Between
 * processes the order is that of their clocks.
 */
export class Places {
  readonly #process = randomUUID().slice(0, 8)
  #lastMs = 0
  #count = 0

  next(priority: QueueMessage['priority'], nowMs: number): string {
    // A clock that is set back does not put new messages before old ones.
    this.#lastMs = Math.max(this.#lastMs, nowMs)
    const time = Math.floor(this.#lastMs).toString().padStart(15, '0')
    const count = (this.#count++).toString(36).padStart(8, '0')
    return `${9 - priority}-${time}-${count}-${this.#process}`
  }
}
