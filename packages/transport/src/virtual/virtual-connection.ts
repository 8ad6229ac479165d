import type { AbortableOptions } from '@celery/promises'
import type {
  Binding,
  BrokerConnection,
  CloseOptions,
  Delivery,
  DeliveryRef,
  ExchangeDeclaration,
  FetchOptions,
  LeaseKeeperSpec,
  Publication,
  QueueDeclaration,
  QueueInfo,
  Settlement,
  SettleResult,
  TransportCapabilities,
} from '../broker-connection.ts'
import {
  ConnectionClosedError,
  ExchangeMismatchError,
  ForeignWriteError,
  UnknownExchangeError,
  UnsupportedByTransportError,
} from '../transport-errors.ts'
import { type Addressed, Addressing } from './addressing.ts'
import type { LiveFanout, LiveMessage, OnLiveMessage } from './live-fanout.ts'
import { LiveQueues, liveFence } from './live-queues.ts'
import type { Routes } from './routing.ts'
import type { TopicMatches } from './topic-pattern.ts'
import type { VirtualBroker, VirtualSettlement } from './virtual-broker.ts'

export interface VirtualConnectionOptions {
  /** Name of the transport, for errors. */
  readonly transport: string
  /** Of the broker, with the password masked. */
  readonly address: string
  readonly topicMatches: TopicMatches
}

/** AMQP's exchanges and Celery's envelopes over a `VirtualBroker`. */
export class VirtualConnection implements BrokerConnection {
  readonly capabilities: TransportCapabilities
  readonly domain: string | undefined
  readonly closed: Promise<void>
  readonly leaseKeeper: LeaseKeeperSpec | undefined
  readonly #options: VirtualConnectionOptions
  readonly #broker: VirtualBroker
  readonly #addressing: Addressing
  /** Where fanout exchanges are live. */
  readonly #live: LiveQueues | undefined
  /** Whether it is being closed for good. */
  #isEnding = false

  constructor(broker: VirtualBroker, options: VirtualConnectionOptions) {
    const { capabilities } = broker
    this.#options = options
    this.#broker = broker
    this.capabilities = capabilities
    this.domain = broker.domain
    this.leaseKeeper = broker.leaseKeeper
    this.#addressing = new Addressing({ ...options, broker, capabilities })
    if (capabilities.liveFanout === true) {
      this.#live = new LiveQueues((onMessage) => openFanout(broker, onMessage))
    }
    this.closed = closedOf(broker, this.#live)
  }

  async declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void> {
    const { name, type } = exchange
    if (type === 'headers') throw new UnsupportedByTransportError(this.#options.transport, 'exchanges of type headers')
    if (type === 'fanout' && !this.capabilities.fanout) {
      throw new UnsupportedByTransportError(this.#options.transport, 'exchanges of type fanout')
    }
    const existing = name === '' ? defaultExchange : await this.#broker.exchange(name, options)
    if (existing !== undefined && existing.type !== type) {
      // Mostly of another app of this process, as in tests: who did not name the broker does not know that they share one.
      const elsewhere = `use a broker of your own, ${this.#options.transport}://${name}-app for example: all of this process share one by its URL`
      throw new ExchangeMismatchError(name, type, existing.type, this.capabilities.shared ? undefined : elsewhere)
    }
    if (existing === undefined) await this.#broker.declareExchange(exchange, options)
    if (this.#live !== undefined && type === 'fanout') this.#addressing.setLive(name, true)
  }

  async deleteExchange(name: string, options?: AbortableOptions): Promise<void> {
    this.#addressing.setLive(name, false)
    await this.#live?.remove(({ exchange }) => exchange === name, options)
    await this.#broker.deleteExchange(name, options)
  }

  async declareQueue(queue: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo> {
    const info = await this.#broker.declareQueue(queue, options)
    const live = this.#live?.count(queue.name)
    return live === undefined ? info : { ...info, ready: info.ready + live.ready, held: info.held + live.held }
  }

  async deleteQueue(name: string, options?: AbortableOptions): Promise<number> {
    const heard = this.#live?.purge(name) ?? 0
    await this.#live?.remove(({ queue }) => queue === name, options)
    return heard + (await this.#broker.deleteQueue(name, options))
  }

  async bindQueue(binding: Binding, options?: AbortableOptions): Promise<void> {
    const { exchange } = binding
    if (exchange === '')
      throw new UnsupportedByTransportError(this.#options.transport, 'bindings to the default exchange')
    const declared = await this.#broker.exchange(exchange, options)
    if (declared === undefined) throw new UnknownExchangeError(exchange)
    // First, so that who sees the binding can rely on it.
    if (declared.type === 'fanout') await this.#live?.bind(binding, options)
    await this.#broker.bind(binding, options)
  }

  async unbindQueue(binding: Binding, options?: AbortableOptions): Promise<void> {
    await this.#live?.unbind(binding, options)
    await this.#broker.unbind(binding, options)
  }

  async purgeQueue(name: string, options?: AbortableOptions): Promise<number> {
    const purged = await this.#broker.purge(name, options)
    return purged + (this.#live?.purge(name) ?? 0)
  }

  async publish(publications: readonly Publication[], options?: AbortableOptions): Promise<void> {
    const found = this.#addressing.routes([publications], options)
    const routes = found instanceof Promise ? await found : found
    const addressed: Addressed = { put: [], live: [] }
    for (let index = 0; index < publications.length; index++) {
      this.#addressing.add(publications[index] as Publication, routes, index, addressed)
    }
    const { live, put } = addressed
    // First what no store can know again: whoever repeats a call that rejected may shout twice, but stores once.
    if (live.length > 0) await this.#live?.publish(live, options)
    if (put.length > 0 || live.length === 0) await this.#broker.put(put, options)
  }

  fetch(queues: readonly string[], options: FetchOptions): Promise<readonly Delivery[]> {
    if (!(options.max >= 1))
      return Promise.reject(new RangeError(`cannot fetch ${options.max} messages; ask for 1 or more`))
    const live = this.#live
    if (live === undefined) return this.#broker.fetch(queues, options)
    if (!queues.some((queue) => live.has(queue))) return this.#unlessEnding(this.#broker.fetch(queues, options))
    return live.fetch(queues, options, (stored, storedOptions) => this.#broker.fetch(stored, storedOptions))
  }

  async settle(settlements: readonly Settlement[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    this.#assertOwnWrites(settlements)
    // Which queues a follow-up goes to is settled before the transaction, so that nothing in it waits or fails.
    const found = this.#addressing.routes(publishedBy(settlements), options)
    const routes = found instanceof Promise ? await found : found
    const resolved = settlements.map((settlement, index) => this.#resolve(settlement, routes, index))
    const live = this.#live
    if (live === undefined) return await this.#broker.settle(resolved, options)
    const results = await settleBoth(resolved, live, (stored) => this.#broker.settle(stored, options))
    const heard = resolved.flatMap((each, index) => (results[index] === 'done' ? (each.live ?? []) : []))
    // Nobody need have heard them, so that they do not leave must not make the settlements look undone.
    if (heard.length > 0) await live.publish(heard, options).catch((error: unknown) => live.end(error))
    return results
  }

  async renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    const stored = deliveries.filter(({ fence }) => fence !== liveFence)
    if (stored.length === deliveries.length) return await this.#broker.renew(deliveries, options)
    const renewed = stored.length === 0 ? [] : await this.#broker.renew(stored, options)
    let next = 0
    return deliveries.map(({ fence }) => (fence === liveFence ? 'done' : (renewed[next++] ?? 'stale')))
  }

  async close(options?: CloseOptions): Promise<void> {
    this.#isEnding = options?.sessionGoesOn !== true
    await this.#closeLive(!this.#isEnding)
    await this.#broker.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What comes while that which listens is being closed is not handed out: the broker gives it back as it closes. */
  async #unlessEnding(fetching: Promise<readonly Delivery[]>): Promise<readonly Delivery[]> {
    const deliveries = await fetching
    if (this.#isEnding) throw new ConnectionClosedError(this.#options.address)
    return deliveries
  }

  /** What listens here is nothing without this connection, so no binding of it must stay, unless the next one binds it. */
  async #closeLive(isReplaced: boolean): Promise<void> {
    const live = this.#live
    if (live === undefined) return
    const bindings = live.bindings
    await live.close(new ConnectionClosedError(this.#options.address))
    if (isReplaced) return
    // A connection that failed can unbind nothing; what is left then, publishers pass over. The queues may be others' too.
    for (const binding of bindings) await this.#broker.unbind(binding).catch(() => undefined)
  }

  #assertOwnWrites(settlements: readonly Settlement[]): void {
    for (let index = 0; index < settlements.length; index++) {
      for (const { domain } of settlements[index]?.writes ?? []) {
        if (domain !== this.domain) throw new ForeignWriteError(this.#options.transport, domain, index)
      }
    }
  }

  #resolve(settlement: Settlement, routes: Routes, index: number): ResolvedSettlement {
    const { publish } = settlement
    if (publish === undefined || publish.length === 0) return settlement
    const addressed: Addressed = { put: [], live: [] }
    for (const publication of publish) this.#addressing.add(publication, routes, index, addressed)
    return { ...settlement, ...addressed }
  }
}

interface ResolvedSettlement extends VirtualSettlement {
  readonly live?: readonly LiveMessage[]
}

const defaultExchange: ExchangeDeclaration = { name: '', type: 'direct' }

function* publishedBy(settlements: readonly Settlement[]): Iterable<readonly Publication[] | undefined> {
  for (const { publish } of settlements) yield publish
}

/** Settles live deliveries here, and in the store what else belongs to them and all the others. */
async function settleBoth(
  settlements: readonly ResolvedSettlement[],
  live: LiveQueues,
  settleStored: (settlements: readonly VirtualSettlement[]) => Promise<readonly SettleResult[]>,
): Promise<readonly SettleResult[]> {
  if (!settlements.some(({ delivery }) => delivery?.fence === liveFence)) return settleStored(settlements)
  const stored: VirtualSettlement[] = []
  for (const { action, delivery, put, writes } of settlements) {
    if (delivery === undefined || delivery.fence !== liveFence) {
      stored.push({
        ...(delivery && { delivery }),
        ...(action && { action }),
        ...(put && { put }),
        ...(writes && { writes }),
      })
    } else if (put !== undefined || writes !== undefined)
      stored.push({ ...(put && { put }), ...(writes && { writes }) })
  }
  const results = stored.length === 0 ? [] : await settleStored(stored)
  let next = 0
  return settlements.map(({ action, delivery, put, writes }) => {
    if (delivery === undefined || delivery.fence !== liveFence) return results[next++] ?? 'stale'
    if (put !== undefined || writes !== undefined) next++
    return live.settle(delivery, action)
  })
}

function openFanout(broker: VirtualBroker, onMessage: OnLiveMessage): LiveFanout {
  if (broker.liveFanout === undefined) {
    throw new TypeError('the driver says that its fanout exchanges are live but has no liveFanout()')
  }
  return broker.liveFanout(onMessage)
}

/** As the broker's, and over too when nothing is heard any more. */
function closedOf(broker: VirtualBroker, live: LiveQueues | undefined): Promise<void> {
  if (live === undefined) return broker.closed
  broker.closed.catch((error: unknown) => live.end(error))
  const closed = new Promise<void>((resolve, reject) => {
    broker.closed.then(resolve, reject)
    live.failed.catch(reject)
  })
  // Whoever does not look at it need not handle it.
  closed.catch(() => {})
  return closed
}
