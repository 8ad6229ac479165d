import { type AbortableOptions, abortable, type Clock } from '@celery/promises'
import {
  type Binding,
  type BrokerAddress,
  type BrokerConnection,
  ConnectionLostError,
  type Delivery,
  type DeliveryRef,
  type ExchangeDeclaration,
  type FetchOptions,
  isDeadLetterQueue,
  type OpenOptions,
  type Publication,
  parseBrokerUrl,
  type QueueDeclaration,
  type QueueInfo,
  type Settlement,
  type SettleResult,
  type Transport,
} from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import type { Activity } from './activity.ts'
import type { Faults } from './faults.ts'

const address = parseBrokerUrl('memory://')

/** Milliseconds: a test moves time by hours at once, which must not take a task from the worker that runs it. */
const leaseMs = 2 ** 40

export interface TestBrokerOptions {
  readonly clock: Clock
  readonly activity: Activity
  readonly faults: Faults
  /** A message is in its queue. */
  readonly onSent: (publication: Publication) => void
  /** Whether somebody takes a message out of its way, before it is in a queue. */
  readonly divert: (publication: Publication) => boolean
}

/**
 * One broker in memory, whatever URL it is opened with: what a test looks into, and what faults befall. The connections that
 * the test itself uses know none.
 */
export class TestBroker implements Transport {
  readonly name = 'memory'
  readonly capabilities: Transport['capabilities']
  /** Queues that were used, without those of dead letters. */
  readonly queues: Set<string> = new Set()
  readonly #options: TestBrokerOptions
  readonly #memory: Transport
  readonly #open = new Set<TestConnection>()
  /** When a message that is not due yet will be, in milliseconds since 1970. */
  readonly #dueMs = new Set<number>()
  /** Of messages that were seen already: one whose confirmation was lost is published again under its tag. */
  readonly #tags = new Set<string>()
  #direct: Promise<BrokerConnection> | undefined

  constructor(options: TestBrokerOptions) {
    this.#options = options
    this.#memory = memoryTransport({ clock: options.clock })
    this.capabilities = this.#memory.capabilities
  }

  async open(_address: BrokerAddress, { signal, ...options }: OpenOptions = {}): Promise<BrokerConnection> {
    const { activity, faults } = this.#options
    const open = () => this.#memory.open(address, { ...options, leaseMs })
    const inner = await faults.perform('connect', open, { ...(signal === undefined ? undefined : { signal }) })
    const connection: TestConnection = new TestConnection(inner, {
      activity,
      faults,
      divert: this.#options.divert,
      onPublished: (publication) => this.#published(publication),
      onParked: (untilMs) => this.#dueMs.add(untilMs),
      onQueue: (name) => this.#used(name),
      onClosed: () => this.#open.delete(connection),
    })
    this.#open.add(connection)
    return connection
  }

  /** Ends all connections. */
  async cut(): Promise<void> {
    await Promise.all([...this.#open].map((connection) => connection.lose()))
  }

  /** Publishes past all faults. */
  async publish(publications: readonly Publication[]): Promise<void> {
    await (await this.#look()).publish(publications)
    for (const publication of publications) this.#published(publication)
    this.#options.activity.happened()
  }

  async queue(name: string): Promise<QueueInfo> {
    return (await this.#look()).declareQueue({ name })
  }

  /** When the next message becomes due, in milliseconds since 1970. */
  get nextDueMs(): number | undefined {
    const nowMs = this.#options.clock.now()
    for (const dueMs of this.#dueMs) if (dueMs <= nowMs) this.#dueMs.delete(dueMs)
    return this.#dueMs.size === 0 ? undefined : Math.min(...this.#dueMs)
  }

  async close(): Promise<void> {
    await (await this.#direct)?.close()
  }

  #look(): Promise<BrokerConnection> {
    this.#direct ??= this.#memory.open(address)
    return this.#direct
  }

  #published(publication: Publication): void {
    const { exchange, notBeforeMs, routingKey, tag } = publication
    if (exchange === '') this.#used(routingKey)
    if (notBeforeMs !== undefined) this.#dueMs.add(notBeforeMs)
    if (tag !== undefined && this.#tags.has(tag)) return
    if (tag !== undefined) this.#tags.add(tag)
    this.#options.onSent(publication)
  }

  #used(queue: string): void {
    if (!isDeadLetterQueue(queue)) this.queues.add(queue)
  }
}

interface TestConnectionOptions extends Pick<TestBrokerOptions, 'activity' | 'divert' | 'faults'> {
  readonly onPublished: (publication: Publication) => void
  readonly onParked: (untilMs: number) => void
  readonly onQueue: (name: string) => void
  readonly onClosed: () => void
}

/** One connection of the code under test. */
class TestConnection implements BrokerConnection {
  readonly capabilities: BrokerConnection['capabilities']
  readonly domain: string | undefined
  readonly closed: Promise<void>
  readonly leaseKeeper = undefined
  readonly #broker: BrokerConnection
  readonly #options: TestConnectionOptions
  readonly #lost = new AbortController()

  constructor(broker: BrokerConnection, options: TestConnectionOptions) {
    this.#broker = broker
    this.#options = options
    this.capabilities = broker.capabilities
    this.domain = broker.domain
    this.closed = broker.closed
  }

  declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void> {
    return this.#alive(this.#broker.declareExchange(exchange, options))
  }

  deleteExchange(name: string, options?: AbortableOptions): Promise<void> {
    return this.#alive(this.#broker.deleteExchange(name, options))
  }

  declareQueue(queue: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo> {
    this.#options.onQueue(queue.name)
    return this.#alive(this.#broker.declareQueue(queue, options))
  }

  deleteQueue(name: string, options?: AbortableOptions): Promise<number> {
    return this.#alive(this.#broker.deleteQueue(name, options))
  }

  bindQueue(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#alive(this.#broker.bindQueue(binding, options))
  }

  unbindQueue(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#alive(this.#broker.unbindQueue(binding, options))
  }

  purgeQueue(name: string, options?: AbortableOptions): Promise<number> {
    return this.#alive(this.#broker.purgeQueue(name, options))
  }

  publish(publications: readonly Publication[], options: AbortableOptions = {}): Promise<void> {
    const work = async (): Promise<void> => {
      const kept = publications.filter((publication) => !this.#options.divert(publication))
      await this.#broker.publish(kept, options)
      for (const publication of kept) this.#options.onPublished(publication)
    }
    return this.#perform('publish', work, options)
  }

  fetch(queues: readonly string[], options: FetchOptions): Promise<readonly Delivery[]> {
    for (const name of queues) this.#options.onQueue(name)
    return this.#perform('fetch', () => this.#broker.fetch(queues, options), options)
  }

  settle(settlements: readonly Settlement[], options: AbortableOptions = {}): Promise<readonly SettleResult[]> {
    const work = async (): Promise<readonly SettleResult[]> => {
      const results = await this.#broker.settle(settlements, options)
      for (const [index, settlement] of settlements.entries()) if (results[index] === 'done') this.#settled(settlement)
      return results
    }
    return this.#perform('settle', work, options)
  }

  renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    return this.#alive(this.#broker.renew(deliveries, options))
  }

  async close(): Promise<void> {
    this.#options.onClosed()
    await this.#broker.close()
    this.#options.activity.happened()
  }

  async lose(): Promise<void> {
    this.#lost.abort(new ConnectionLostError(address.toString()))
    await this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #perform<T>(
    point: 'publish' | 'fetch' | 'settle',
    work: () => Promise<T>,
    options: AbortableOptions,
  ): Promise<T> {
    this.#lost.signal.throwIfAborted()
    try {
      return await this.#alive(this.#options.faults.perform(point, work, options))
    } finally {
      this.#options.activity.happened()
    }
  }

  /** Rejects once the connection is lost. */
  #alive<T>(work: Promise<T>): Promise<T> {
    return abortable(work, this.#lost.signal)
  }

  #settled({ action, publish }: Settlement): void {
    if (action?.type === 'park') this.#options.onParked(action.untilMs)
    for (const publication of publish ?? []) this.#options.onPublished(publication)
  }
}
