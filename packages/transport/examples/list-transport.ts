import { type AbortableOptions, abortable, anySignal, deferred } from '@celery/promises'
import {
  type Binding,
  ConnectionClosedError,
  type Delivery,
  type DeliveryRef,
  deadLetterQueue,
  type ExchangeDeclaration,
  type FetchOptions,
  type QueueDeclaration,
  type QueueInfo,
  type SettleResult,
  type Transport,
  type TransportCapabilities,
  UnsupportedByTransportError,
} from '@celery/transport'
import {
  type QueueMessage,
  type VirtualBroker,
  type VirtualSettlement,
  virtualTransport,
} from '@celery/transport/virtual'
import { type List, ListStore } from './list-store.ts'

/** What the kit will hold us to. Promise little at first. */
const capabilities: TransportCapabilities = {
  shared: false,
  durable: false,
  fanout: true,
  priorities: 1,
  priorityOrder: 'highest-first',
  delay: false,
  leases: false,
  transactions: false,
}

/** `list://`: everything that is sent through one transport meets in one store. */
export function listTransport(): Transport {
  const store = new ListStore()
  return virtualTransport({
    name: 'list',
    capabilities,
    open: async (address, { now = Date.now }) => new ListBroker(store, address.toString(), now),
  })
}

class ListBroker implements VirtualBroker {
  readonly capabilities = capabilities
  readonly domain = undefined
  readonly leaseKeeper = undefined
  readonly closed: Promise<void>
  readonly #store: ListStore
  readonly #address: string
  readonly #now: () => number
  readonly #ended = deferred()
  readonly #end = new AbortController()
  #turn = 0

  constructor(store: ListStore, address: string, now: () => number) {
    this.#store = store
    this.#address = address
    this.#now = now
    this.closed = this.#ended.promise
  }

  async declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void> {
    this.#begin(options)
    this.#store.exchanges.set(exchange.name, exchange)
  }

  async deleteExchange(name: string, options?: AbortableOptions): Promise<void> {
    this.#begin(options)
    this.#store.exchanges.delete(name)
    this.#store.bindings = this.#store.bindings.filter(({ exchange }) => exchange !== name)
  }

  async exchange(name: string, options?: AbortableOptions): Promise<ExchangeDeclaration | undefined> {
    this.#begin(options)
    return this.#store.exchanges.get(name)
  }

  async bind(binding: Binding, options?: AbortableOptions): Promise<void> {
    await this.unbind(binding, options)
    this.#store.bindings = [...this.#store.bindings, binding]
  }

  async unbind({ queue, exchange, routingKey }: Binding, options?: AbortableOptions): Promise<void> {
    this.#begin(options)
    this.#store.bindings = this.#store.bindings.filter(
      (each) => each.queue !== queue || each.exchange !== exchange || each.routingKey !== routingKey,
    )
  }

  async bindings(name: string, options?: AbortableOptions): Promise<readonly Binding[]> {
    this.#store.removeUnused(this.#begin(options))
    return this.#store.bindings.filter(({ exchange }) => exchange === name)
  }

  async declareQueue(declaration: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo> {
    const nowMs = this.#begin(options)
    this.#store.removeUnused(nowMs)
    const list = this.#store.list(declaration.name, nowMs).dropExpired(nowMs)
    list.declaredBy ??= this
    list.declaration ??= declaration
    list.lastUsedMs = nowMs
    return { name: list.name, ready: list.ready.length, delayed: 0, held: list.held.size }
  }

  async deleteQueue(name: string, options?: AbortableOptions): Promise<number> {
    const count = await this.purge(name, options)
    this.#store.remove(name)
    return count
  }

  async purge(name: string, options?: AbortableOptions): Promise<number> {
    const nowMs = this.#begin(options)
    return this.#store.lists.get(name)?.dropExpired(nowMs).ready.splice(0).length ?? 0
  }

  async put(messages: readonly QueueMessage[], options?: AbortableOptions): Promise<void> {
    this.#begin(options)
    for (const message of messages) this.#add(message)
    this.#store.notify()
  }

  /** What is ready now, or the first that becomes so. Nothing is held by somebody who has given up. */
  async fetch(queues: readonly string[], { max, signal }: FetchOptions): Promise<readonly Delivery[]> {
    using ended = anySignal(signal, this.#end.signal)
    for (;;) {
      const nowMs = this.#begin({ signal })
      const changed = this.#store.changed()
      const deliveries = this.#take(queues, max, nowMs)
      if (deliveries.length > 0) return deliveries
      await abortable(changed, ended.signal)
    }
  }

  /** Item by item: either a settlement takes effect with all its messages, or it is stale and nothing of it happens. */
  async settle(items: readonly VirtualSettlement[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    this.#begin(options)
    const results = items.map((item) => this.#settleOne(item))
    this.#store.notify()
    return results
  }

  /** Without leases there is nothing to extend: a delivery is ours until we settle it or close. */
  async renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    this.#begin(options)
    return deliveries.map(({ queue, tag, fence }) =>
      this.#store.lists.get(queue)?.held.get(tag)?.fence === fence ? 'done' : 'stale',
    )
  }

  /** Gives back what it holds, in place and uncounted, and removes the queues that end with it. */
  async close(): Promise<void> {
    if (this.#end.signal.aborted) return
    this.#end.abort(new ConnectionClosedError(this.#address))
    for (const list of [...this.#store.lists.values()]) {
      const wasLast = list.consumers.delete(this) && list.consumers.size === 0
      const isOwn = list.declaration?.exclusive === true && list.declaredBy === this
      if (isOwn || (list.declaration?.autoDelete === true && wasLast)) this.#store.remove(list.name)
      for (const { entry, owner } of [...list.held.values()]) if (owner === this) this.#giveBack(list, entry.tag)
    }
    this.#store.notify()
    this.#ended.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Every operation begins here; returns the time at which it happens. */
  #begin(options: AbortableOptions | undefined): number {
    this.#end.signal.throwIfAborted()
    options?.signal?.throwIfAborted()
    return this.#now()
  }

  #add({ queue, tag, payload }: Omit<QueueMessage, 'priority'>, deadReason?: string): void {
    const nowMs = this.#now()
    const list = this.#store.list(queue, nowMs)
    const dropAtMs = nowMs + (list.declaration?.messageTtlMs ?? Number.POSITIVE_INFINITY)
    list.add({ tag, payload, place: this.#store.next(), dropAtMs, deadReason, redeliveries: 0 })
  }

  /** One from each queue in turn, so that a full one does not keep the others waiting. */
  #take(queues: readonly string[], max: number, nowMs: number): Delivery[] {
    const lists = queues.map((name) => this.#store.list(name, nowMs).dropExpired(nowMs))
    for (const list of lists) {
      list.consumers.add(this)
      list.lastUsedMs = nowMs
    }
    const deliveries: Delivery[] = []
    for (let empty = 0; deliveries.length < max && empty < lists.length; ) {
      const list = lists[this.#turn++ % lists.length] as List
      const entry = list.ready.shift()
      empty = entry === undefined ? empty + 1 : 0
      if (entry === undefined) continue
      const { tag, payload, redeliveries, deadReason } = entry
      const fence = this.#store.next()
      list.held.set(tag, { entry, fence, owner: this })
      const delivery = { queue: list.name, tag, fence, payload, redeliveries }
      deliveries.push(deadReason === undefined ? delivery : { ...delivery, deadReason })
    }
    return deliveries
  }

  #settleOne({ delivery, action, put = [] }: VirtualSettlement): SettleResult {
    const list = delivery === undefined ? undefined : this.#store.lists.get(delivery.queue)
    const held = delivery === undefined ? undefined : list?.held.get(delivery.tag)
    // The fence tells this delivery from an earlier one of the same message.
    if (delivery !== undefined && held?.fence !== delivery.fence) return 'stale'
    if (action?.type === 'park')
      throw new UnsupportedByTransportError('list', 'messages that are held back until a time')
    for (const message of put) this.#add(message)
    if (list === undefined || held === undefined) return 'done'
    const { entry } = held
    if (action?.type === 'requeue') {
      if (action.counted) entry.redeliveries++
      this.#giveBack(list, entry.tag)
      return 'done'
    }
    list.held.delete(entry.tag)
    if (action?.type === 'dead') this.#bury(list.name, entry, action.reason)
    return 'done'
  }

  #giveBack(list: List, tag: string): void {
    const held = list.held.get(tag)
    list.held.delete(tag)
    if (held !== undefined) list.add(held.entry)
  }

  /** At most 10,000 dead messages for at most 7 days. */
  #bury(queue: string, { tag, payload }: Pick<QueueMessage, 'tag' | 'payload'>, reason: string): void {
    const name = deadLetterQueue(queue)
    const dead = this.#store.list(name, this.#now())
    dead.declaration ??= { name, messageTtlMs: 7 * 24 * 3_600_000 }
    this.#add({ queue: name, tag, payload }, reason)
    dead.ready.splice(0, dead.ready.length - 10_000)
  }
}
