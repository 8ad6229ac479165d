import { type AbortableOptions, abortable, anySignal, deferred, systemClock } from '@celery/promises'
import type { Binding, Delivery, DeliveryRef, FetchOptions, SettleAction, SettleResult } from '../broker-connection.ts'
import { deliveryTags } from '../delivery-tags.ts'
import type { LiveFanout, LiveMessage, OnLiveMessage } from './live-fanout.ts'
import { type HeardMessage, LiveQueue } from './live-queue.ts'
import type { VirtualFetchOptions } from './virtual-broker.ts'

interface Held {
  readonly queue: string
  readonly message: HeardMessage
}

/**
 * The queues of one connection that are bound to live fanout exchanges. They are here and nowhere else: what they hear
 * waits in this process until it is fetched, and is over with the connection.
 */
export class LiveQueues {
  readonly #fanout: LiveFanout
  readonly #queues = new Map<string, LiveQueue>()
  readonly #held = new Map<string, Held>()
  readonly #newTag = deliveryTags()
  /** Of those who wait for a message. */
  readonly #wakers = new Set<() => void>()
  /** Cancel what is to come again at a time. */
  readonly #parked = new Set<() => void>()
  readonly #ended = new AbortController()
  #isStoredTurn = false

  constructor(open: (onMessage: OnLiveMessage) => LiveFanout) {
    this.#fanout = open((queue, payload) => this.#hear(queue, { payload, redeliveries: 0 }))
    this.#fanout.closed.catch((error: unknown) => this.end(error))
  }

  /** Rejects when nothing is heard any more. */
  get failed(): Promise<void> {
    return this.#fanout.closed
  }

  has(queue: string): boolean {
    return this.#queues.has(queue)
  }

  get bindings(): readonly Binding[] {
    return [...this.#queues.values()].flatMap(({ bindings }) => [...bindings.values()])
  }

  async bind(binding: Binding, options?: AbortableOptions): Promise<void> {
    const queue = this.#queues.get(binding.queue) ?? new LiveQueue(binding.queue)
    this.#queues.set(queue.name, queue)
    queue.bindings.set(keyOf(binding), binding)
    try {
      await this.#fanout.listen(binding, options)
    } catch (error) {
      queue.bindings.delete(keyOf(binding))
      if (queue.bindings.size === 0) this.#queues.delete(queue.name)
      throw error
    }
  }

  async unbind(binding: Binding, options?: AbortableOptions): Promise<void> {
    const queue = this.#queues.get(binding.queue)
    if (queue?.bindings.delete(keyOf(binding)) !== true) return
    if (queue.bindings.size === 0) this.#queues.delete(queue.name)
    await this.#fanout.unlisten(binding, options)
  }

  /** Its queue or its exchange is deleted. */
  async remove(isGone: (binding: Binding) => boolean, options?: AbortableOptions): Promise<void> {
    for (const { bindings } of [...this.#queues.values()]) {
      for (const binding of [...bindings.values()]) if (isGone(binding)) await this.unbind(binding, options)
    }
  }

  publish(messages: readonly LiveMessage[], options?: AbortableOptions): Promise<void> {
    return this.#fanout.publish(messages, options)
  }

  /** Counts what a queue has here. */
  count(name: string): { readonly ready: number; readonly held: number } {
    let held = 0
    for (const { queue } of this.#held.values()) if (queue === name) held++
    return { ready: this.#queues.get(name)?.size ?? 0, held }
  }

  purge(name: string): number {
    return this.#queues.get(name)?.take(Number.POSITIVE_INFINITY).length ?? 0
  }

  /**
   * Whatever comes first of what the live queues among these hear and of what `fetchStored` finds in the others. They come in
   * turn where there is something in both, and what is heard ends a wait for the others, but no look at them: however fast
   * live messages come, the others are fetched too.
   */
  async fetch(
    names: readonly string[],
    { max, signal }: FetchOptions,
    fetchStored: (names: readonly string[], options: VirtualFetchOptions) => Promise<readonly Delivery[]>,
  ): Promise<readonly Delivery[]> {
    const stored = names.filter((name) => !this.has(name))
    await this.#wakeUp(names, signal)
    for (;;) {
      signal.throwIfAborted()
      this.#ended.signal.throwIfAborted()
      const isStoredTurn = this.#isStoredTurn && stored.length > 0
      const deliveries = isStoredTurn ? [] : this.#take(names, max)
      this.#isStoredTurn = deliveries.length > 0
      if (deliveries.length > 0) return deliveries
      const arrival = this.#arrival(names)
      try {
        using ended = anySignal(signal, arrival.signal, this.#ended.signal)
        if (stored.length > 0) return await fetchStored(stored, { max, signal: ended.signal, onEmpty: arrival.begin })
        arrival.begin()
        await abortable(deferred<never>().promise, ended.signal)
      } catch (error) {
        if (error !== heardSomething) throw error
      } finally {
        arrival.forget()
      }
    }
  }

  /** Live messages need no settling: only what is to come again must still be known here. */
  settle({ queue, tag }: DeliveryRef, action: SettleAction | undefined): SettleResult {
    const message = this.#held.get(tag)?.message
    this.#held.delete(tag)
    if (action === undefined || action.type === 'ack' || action.type === 'dead') return 'done'
    if (message === undefined || !this.has(queue)) return 'stale'
    const again = action.counted === true ? { ...message, redeliveries: message.redeliveries + 1 } : message
    if (action.type === 'requeue') this.#putBack(queue, again)
    else this.#park(queue, again, action.untilMs)
    return 'done'
  }

  /** Those who wait reject with `reason`, and whoever fetches later. */
  end(reason: unknown): void {
    this.#ended.abort(reason)
    for (const cancel of this.#parked) cancel()
  }

  async close(reason: unknown): Promise<void> {
    this.end(reason)
    await this.#fanout.close()
  }

  /** Queues that slept listen again. */
  async #wakeUp(names: readonly string[], signal: AbortSignal): Promise<void> {
    for (const name of names) {
      const queue = this.#queues.get(name)
      if (queue === undefined) continue
      queue.wasUsed = true
      if (queue.isAsleep) {
        queue.isAsleep = false
        queue.waking = this.#listenAgain(queue)
      }
      // Whoever fetches gives up waiting for it, but does not stop it: others may wait too.
      if (queue.waking !== undefined) await abortable(queue.waking, signal)
    }
  }

  async #listenAgain(queue: LiveQueue): Promise<void> {
    try {
      for (const binding of [...queue.bindings.values()]) await this.#fanout.listen(binding)
    } catch (error) {
      queue.isAsleep = true
      throw error
    } finally {
      queue.waking = undefined
    }
  }

  #take(names: readonly string[], max: number): readonly Delivery[] {
    const deliveries: Delivery[] = []
    for (const name of names) {
      for (const message of this.#queues.get(name)?.take(max - deliveries.length) ?? []) {
        const tag = this.#newTag()
        this.#hold(tag, { queue: name, message })
        deliveries.push({ queue: name, tag, fence: liveFence, ...message })
      }
    }
    return deliveries
  }

  /** Nobody has to settle them, so the oldest are forgotten. */
  #hold(tag: string, held: Held): void {
    this.#held.set(tag, held)
    if (this.#held.size <= mostHeld) return
    for (const oldest of this.#held.keys()) {
      this.#held.delete(oldest)
      break
    }
  }

  #hasReady(name: string): boolean {
    return (this.#queues.get(name)?.size ?? 0) > 0
  }

  /** A signal that aborts when there is something in these queues, once it has begun. */
  #arrival(names: readonly string[]): {
    readonly signal: AbortSignal
    readonly begin: () => void
    readonly forget: () => void
  } {
    const controller = new AbortController()
    const wake = (): void => {
      if (names.some((name) => this.#hasReady(name))) controller.abort(heardSomething)
    }
    return {
      signal: controller.signal,
      begin: () => {
        this.#wakers.add(wake)
        wake()
      },
      forget: () => this.#wakers.delete(wake),
    }
  }

  #hear(name: string, message: HeardMessage): void {
    const queue = this.#queues.get(name)
    if (queue === undefined || queue.isAsleep) return
    const dropped = queue.add(message)
    if (dropped > 0) this.#overflowing(queue, dropped)
    this.#wake()
  }

  /** Nobody may want what it hears: whoever only publishes declares the queue too. Else the oldest go. */
  #overflowing(queue: LiveQueue, dropped: number): void {
    if (queue.wasUsed) {
      queue.dropped += dropped
      if (performance.now() < queue.warnAtMs) return
      queue.warnAtMs = performance.now() + warningsMs
      process.emitWarning(
        `queue "${queue.name}" hears more from its fanout exchange than is fetched from it; its oldest messages are dropped, ${queue.dropped} so far`,
        { code: 'CELERY_FANOUT_OVERFLOW' },
      )
      return
    }
    queue.isAsleep = true
    queue.take(Number.POSITIVE_INFINITY)
    for (const binding of queue.bindings.values()) {
      // Where that fails the connection has, and says so.
      this.#fanout.unlisten(binding).catch((error: unknown) => this.end(error))
    }
  }

  #putBack(name: string, message: HeardMessage): void {
    this.#queues.get(name)?.putBack(message)
    this.#wake()
  }

  #park(queue: string, message: HeardMessage, untilMs: number): void {
    const putBack = (): void => {
      this.#parked.delete(cancel)
      this.#putBack(queue, message)
    }
    const cancel = systemClock.schedule(untilMs - systemClock.now(), putBack, { unref: true })
    this.#parked.add(cancel)
  }

  #wake(): void {
    for (const wake of [...this.#wakers]) wake()
  }
}

const mostHeld = 10_000

/** Milliseconds between two warnings of a queue: what it drops may be thousands a second. */
const warningsMs = 60_000

/** Of every live delivery; no store has it. */
export const liveFence = 'live'

const heardSomething = new Error('a live queue has heard something')

function keyOf({ exchange, routingKey }: Binding): string {
  return JSON.stringify([exchange, routingKey])
}
