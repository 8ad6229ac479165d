import {
  type Delivery,
  deadLetterLimits,
  deadLetterQueue,
  isDeadLetterQueue,
  type SettleAction,
  type SettleResult,
} from '../broker-connection.ts'
import { type Held, ListHolds } from './list-holds.ts'
import { decodeListMessage, encodeListMessage, type ListMessage, Places } from './list-message.ts'
import type { ListStore } from './list-store.ts'
import { type Declarations, ListTables } from './list-tables.ts'
import { ListUses } from './list-uses.ts'
import type { QueueMessage, VirtualSettlement } from './virtual-broker.ts'

/** Messages in the lists of a store, and in the hands of this process. */
export class ListQueues {
  readonly tables: ListTables
  readonly uses: ListUses = new ListUses()
  readonly holds: ListHolds = new ListHolds()
  readonly #store: ListStore
  readonly #onPut: () => void
  readonly #places = new Places()
  /** How many more messages a dead-letter queue takes before the store is asked for its size: that may be a list of them all. */
  readonly #deadRoom = new Map<string, number>()

  /** @param onPut - Called when a message was added or has come back. */
  constructor(store: ListStore, onPut: () => void) {
    this.tables = new ListTables(store)
    this.#store = store
    this.#onPut = onPut
  }

  add({ queue, tag, payload, priority }: QueueMessage, nowMs: number): Promise<void> {
    const message = { tag, payload, sentMs: nowMs, redeliveries: 0 }
    return isDeadLetterQueue(queue)
      ? this.#addDead(queue, message)
      : this.#put(queue, this.#places.next(priority, nowMs), message)
  }

  /** The first message of a queue that is not past its time, held by `owner` from now on. */
  async take(queue: string, owner: object, nowMs: number, declared: Declarations): Promise<Delivery | undefined> {
    const ttlMs = timeToLive(queue, declared)
    for (let item = await this.#store.take(queue); item !== undefined; item = await this.#store.take(queue)) {
      const { place, text } = item
      const message = decodeListMessage(text, place, nowMs)
      if (nowMs - message.sentMs < ttlMs) {
        const { payload, redeliveries, deadReason } = message
        const delivery = { ...this.holds.add({ queue, place, message, owner }), payload, redeliveries }
        return deadReason === undefined ? delivery : { ...delivery, deadReason }
      }
      await this.#store.settled?.(queue, place)
    }
    return undefined
  }

  async settle({ delivery, action, put = [] }: VirtualSettlement, nowMs: number): Promise<SettleResult> {
    const held = delivery === undefined ? undefined : this.holds.release(delivery)
    if (delivery !== undefined && held === undefined) return 'stale'
    try {
      for (const message of put) await this.add(message, nowMs)
      if (held !== undefined) await this.#finish(held, action, nowMs)
    } catch (error) {
      if (delivery !== undefined && held !== undefined) this.holds.restore(delivery, held)
      throw error
    }
    return 'done'
  }

  /** Everything that `owner` holds goes back to its place, uncounted. */
  async giveBack(owner: object): Promise<void> {
    for (const { queue, place, message } of this.holds.releaseOwned(owner)) await this.#put(queue, place, message)
  }

  async counts(queue: string): Promise<{ readonly ready: number; readonly delayed: number; readonly held: number }> {
    return { ready: await this.#store.size(queue), delayed: 0, held: this.holds.count(queue) }
  }

  purge(queue: string): Promise<number> {
    return this.#store.clear(queue)
  }

  /** Removes a queue with its bindings; what is held of it is stale from now on. */
  async remove(queue: string): Promise<number> {
    this.uses.forget(queue)
    const held = this.holds.releaseQueue(queue)
    await this.tables.removeQueue(queue)
    const ready = await this.#store.clear(queue)
    for (const { place } of held) await this.#store.settled?.(queue, place)
    return ready
  }

  async removeUnused(nowMs: number): Promise<void> {
    for (const queue of this.uses.unused(nowMs)) await this.remove(queue)
  }

  async #put(queue: string, place: string, message: ListMessage): Promise<void> {
    await this.#store.put(queue, { place, text: encodeListMessage(message) })
    this.#onPut()
  }

  async #finish({ queue, place, message }: Held, action: SettleAction | undefined, nowMs: number): Promise<void> {
    if (action?.type === 'requeue') {
      const redeliveries = message.redeliveries + (action.counted ? 1 : 0)
      await this.#put(queue, place, { ...message, redeliveries })
      return
    }
    if (action?.type === 'dead') {
      const { tag, payload } = message
      const dead = { tag, payload, sentMs: nowMs, redeliveries: 0, deadReason: action.reason }
      await this.#addDead(deadLetterQueue(queue), dead)
    }
    await this.#store.settled?.(queue, place)
  }

  /** To the end, whatever its priority, so that what is dropped is the oldest. */
  async #addDead(queue: string, message: ListMessage): Promise<void> {
    await this.#put(queue, this.#places.next(0, message.sentMs), message)
    const room = this.#deadRoom.get(queue) ?? 0
    if (room > 0) {
      this.#deadRoom.set(queue, room - 1)
      return
    }
    let left = deadLetterLimits.maxMessages - (await this.#store.size(queue))
    for (; left < 0; left++) {
      const oldest = await this.#store.take(queue)
      if (oldest !== undefined) await this.#store.settled?.(queue, oldest.place)
    }
    // Other processes fill it too.
    this.#deadRoom.set(queue, Math.floor(left / 10))
  }
}

function timeToLive(queue: string, { queues }: Declarations): number {
  const { messageTtlMs } = queues.get(queue) ?? {}
  return messageTtlMs ?? (isDeadLetterQueue(queue) ? deadLetterLimits.messageTtlMs : Number.POSITIVE_INFINITY)
}
