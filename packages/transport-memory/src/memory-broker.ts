import { type AbortableOptions, type Clock, deferred } from '@celery/promises'
import {
  type Binding,
  type CloseOptions,
  ConnectionClosedError,
  type Delivery,
  type DeliveryRef,
  type ExchangeDeclaration,
  type QueueDeclaration,
  type QueueInfo,
  type SettleResult,
  type TransportCapabilities,
} from '@celery/transport'
import type { QueueMessage, VirtualBroker, VirtualFetchOptions, VirtualSettlement } from '@celery/transport/virtual'
import { FetchWaits } from './fetch-waits.ts'
import { isMemoryStatement } from './memory-statement.ts'
import type { MemoryStore } from './memory-store.ts'

export interface MemoryBrokerOptions {
  /** For error messages. */
  readonly address: string
  readonly domain: string
  readonly leaseMs: number
  readonly now: () => number
  /** Tells when something is due. */
  readonly clock: Clock
  /** Who holds what is delivered, from one connection to the next. @defaultValue each connection for itself */
  readonly session?: string | undefined
}

/**
 * One connection to a `MemoryStore`. Everything happens within one turn of the event loop, which makes every operation
 * a transaction; they are asynchronous because the interface is.
 */
export class MemoryBroker implements VirtualBroker {
  readonly capabilities: TransportCapabilities
  readonly leaseKeeper = undefined
  readonly closed: Promise<void>
  readonly domain: string
  readonly #store: MemoryStore
  readonly #options: MemoryBrokerOptions
  readonly #onClosed = deferred()
  readonly #waits: FetchWaits
  /** Holds what is delivered. */
  readonly #owner: object
  /** Which queue has the first turn in the next fetch. */
  #turn = 0
  #isClosed = false

  constructor(store: MemoryStore, options: MemoryBrokerOptions) {
    this.#store = store
    this.#options = options
    const { domain, session } = options
    this.domain = domain
    this.capabilities = session === undefined ? memoryCapabilities : { ...memoryCapabilities, sessions: true }
    this.#owner = session === undefined ? this : store.ownerOf(session)
    this.#waits = new FetchWaits(store, options)
    this.closed = this.#onClosed.promise
  }

  async declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void> {
    this.#begin(options)
    this.#store.declareExchange(exchange)
  }

  async deleteExchange(name: string, options?: AbortableOptions): Promise<void> {
    this.#begin(options)
    this.#store.deleteExchange(name)
  }

  async exchange(name: string, options?: AbortableOptions): Promise<ExchangeDeclaration | undefined> {
    this.#begin(options)
    return this.#store.exchange(name)
  }

  async declareQueue(declaration: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo> {
    const nowMs = this.#begin(options)
    const queue = this.#store.declareQueue(declaration, this, nowMs)
    queue.catchUp(nowMs)
    return queue.info(nowMs)
  }

  async deleteQueue(name: string, options?: AbortableOptions): Promise<number> {
    const nowMs = this.#begin(options)
    const queue = this.#store.queue(name)
    queue?.catchUp(nowMs)
    this.#store.deleteQueue(name)
    return queue?.info(nowMs).ready ?? 0
  }

  async bind(binding: Binding, options?: AbortableOptions): Promise<void> {
    this.#begin(options)
    this.#store.bind(binding)
  }

  async unbind(binding: Binding, options?: AbortableOptions): Promise<void> {
    this.#begin(options)
    this.#store.unbind(binding)
  }

  async bindings(exchange: string, options?: AbortableOptions): Promise<readonly Binding[]> {
    return this.#store.bindings(exchange, this.#begin(options))
  }

  async purge(name: string, options?: AbortableOptions): Promise<number> {
    const nowMs = this.#begin(options)
    const queue = this.#store.queue(name)
    queue?.catchUp(nowMs)
    return queue?.purge(nowMs) ?? 0
  }

  async put(messages: readonly QueueMessage[], options?: AbortableOptions): Promise<void> {
    const nowMs = this.#begin(options)
    const changed = new Set<string>()
    for (const message of messages) {
      this.#store.put(message, nowMs)
      changed.add(message.queue)
    }
    for (const queue of changed) this.#store.wake(queue)
  }

  async fetch(queues: readonly string[], options: VirtualFetchOptions): Promise<readonly Delivery[]> {
    this.#begin(options)
    const deliveries = this.#take(queues, options.max)
    if (deliveries.length > 0) return deliveries
    try {
      options.onEmpty?.()
      options.signal.throwIfAborted()
      return await this.#waits.wait(queues, options.signal, () => this.#take(queues, options.max))
    } finally {
      const nowMs = this.#options.now()
      for (const name of queues) this.#markUsed(name, nowMs)
    }
  }

  async settle(
    settlements: readonly VirtualSettlement[],
    options?: AbortableOptions,
  ): Promise<readonly SettleResult[]> {
    const nowMs = this.#begin(options)
    // Before anything happens, so that a batch is carried out whole or not at all.
    for (const { writes } of settlements) for (const write of writes ?? []) checkStatement(write.statement)
    const changed = new Set<string>()
    const results = settlements.map((settlement) => this.#settleOne(settlement, nowMs, changed))
    for (const queue of changed) this.#store.wake(queue)
    return results
  }

  async renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    const nowMs = this.#begin(options)
    return deliveries.map((delivery) => {
      const queue = this.#store.queue(delivery.queue)
      const message = queue?.held(delivery)
      if (queue === undefined || message === undefined) return 'stale'
      queue.renew(message, this.#options.leaseMs, nowMs)
      return 'done'
    })
  }

  async close({ sessionGoesOn = false }: CloseOptions = {}): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#waits.failAll(this.#closedError())
    const nowMs = this.#options.now()
    const isOver = !sessionGoesOn || this.#owner === this
    for (const queue of [...this.#store.queues]) {
      const wasLastConsumer = queue.consumers.delete(this) && queue.consumers.size === 0
      const { exclusive, autoDelete } = queue.declaration ?? {}
      if ((exclusive === true && queue.declaredBy === this) || (autoDelete === true && wasLastConsumer)) {
        this.#store.deleteQueue(queue.name)
      } else if (isOver) {
        queue.giveBackAll(this.#owner, nowMs)
        this.#store.wake(queue.name)
      }
    }
    this.#onClosed.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Every operation begins here; returns the time at which it happens. */
  #begin(options: AbortableOptions | undefined): number {
    if (this.#isClosed) throw this.#closedError()
    options?.signal?.throwIfAborted()
    return this.#options.now()
  }

  #closedError(): ConnectionClosedError {
    return new ConnectionClosedError(this.#options.address)
  }

  /** Takes one message from each queue in turn until there are `max` or no more. */
  #take(names: readonly string[], max: number): Delivery[] {
    const nowMs = this.#options.now()
    const deliveries: Delivery[] = []
    for (const name of names) {
      this.#store.queue(name)?.catchUp(nowMs)
      this.#markUsed(name, nowMs)
    }
    let empty = 0
    while (deliveries.length < max && empty < names.length) {
      const name = names[this.#turn++ % names.length] as string
      const queue = this.#store.queue(name)
      const message = queue?.hasReady
        ? queue.take(this.#owner, this.#store.newFence(), this.#options.leaseMs, nowMs)
        : undefined
      if (message === undefined) {
        empty++
        continue
      }
      empty = 0
      const { tag, fence, redeliveries, payload, deadReason } = message
      deliveries.push(
        deadReason === undefined
          ? { queue: name, tag, fence, redeliveries, payload }
          : { queue: name, tag, fence, redeliveries, payload, deadReason },
      )
    }
    return deliveries
  }

  #markUsed(name: string, nowMs: number): void {
    const queue = this.#store.queue(name)
    if (queue === undefined) return
    queue.consumers.add(this)
    queue.lastUsedMs = nowMs
  }

  #settleOne(settlement: VirtualSettlement, nowMs: number, changed: Set<string>): SettleResult {
    const { delivery, action, put, writes } = settlement
    const queue = delivery === undefined ? undefined : this.#store.queue(delivery.queue)
    const message = delivery === undefined ? undefined : queue?.held(delivery)
    if (delivery !== undefined && message === undefined) return 'stale'
    for (const { statement } of writes ?? []) if (isMemoryStatement(statement)) statement.apply()
    for (const follow of put ?? []) {
      this.#store.put(follow, nowMs)
      changed.add(follow.queue)
    }
    if (queue === undefined || message === undefined) return 'done'
    switch (action?.type) {
      case undefined:
      case 'ack':
        queue.remove(message)
        break
      case 'requeue':
        if (action.counted) message.redeliveries++
        queue.giveBack(message, nowMs)
        changed.add(queue.name)
        break
      case 'park':
        if (action.counted === true) message.redeliveries++
        queue.giveBack(message, nowMs, action.untilMs)
        changed.add(queue.name)
        break
      case 'dead':
        changed.add(this.#store.bury(queue, message, action.reason, nowMs))
        break
    }
    return 'done'
  }
}

export const memoryCapabilities: TransportCapabilities = {
  shared: false,
  local: true,
  durable: false,
  fanout: true,
  priorities: 10,
  priorityOrder: 'highest-first',
  delay: true,
  leases: true,
  transactions: true,
}

function checkStatement(statement: unknown): void {
  if (!isMemoryStatement(statement)) throw new TypeError('a write to a memory broker must be an object with `apply()`')
}
