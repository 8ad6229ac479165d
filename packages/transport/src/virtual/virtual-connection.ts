import type { AbortableOptions } from '@celery/promises'
import { encodeEnvelope } from '@celery/protocol'
import type {
  Binding,
  BrokerConnection,
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
import { deliveryTags } from '../delivery-tags.ts'
import { ExchangeMismatchError, UnknownExchangeError, UnsupportedByTransportError } from '../transport-errors.ts'
import { matchingQueues, noRoutes, type Routes, readRoutes } from './routing.ts'
import type { QueueMessage, VirtualBroker, VirtualSettlement } from './virtual-broker.ts'

/** AMQP's exchanges and Celery's envelopes over a `VirtualBroker`. */
export class VirtualConnection implements BrokerConnection {
  readonly capabilities: TransportCapabilities
  readonly domain: string | undefined
  readonly closed: Promise<void>
  readonly leaseKeeper: LeaseKeeperSpec | undefined
  readonly #transport: string
  readonly #broker: VirtualBroker
  readonly #newTag = deliveryTags()

  constructor(transport: string, broker: VirtualBroker) {
    this.#transport = transport
    this.#broker = broker
    this.capabilities = broker.capabilities
    this.domain = broker.domain
    this.closed = broker.closed
    this.leaseKeeper = broker.leaseKeeper
  }

  async declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void> {
    const { name, type } = exchange
    if (type === 'headers') throw new UnsupportedByTransportError(this.#transport, 'exchanges of type headers')
    if (type === 'fanout' && !this.capabilities.fanout) {
      throw new UnsupportedByTransportError(this.#transport, 'exchanges of type fanout')
    }
    const existing = name === '' ? defaultExchange : await this.#broker.exchange(name, options)
    if (existing !== undefined && existing.type !== type) {
      // Mostly of another app of this process, as in tests: who did not name the broker does not know that they share one.
      const elsewhere = `use a broker of your own, ${this.#transport}://${name}-app for example: all of this process share one by its URL`
      throw new ExchangeMismatchError(name, type, existing.type, this.capabilities.shared ? undefined : elsewhere)
    }
    if (existing === undefined) await this.#broker.declareExchange(exchange, options)
  }

  deleteExchange(name: string, options?: AbortableOptions): Promise<void> {
    return this.#broker.deleteExchange(name, options)
  }

  declareQueue(queue: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo> {
    return this.#broker.declareQueue(queue, options)
  }

  deleteQueue(name: string, options?: AbortableOptions): Promise<number> {
    return this.#broker.deleteQueue(name, options)
  }

  async bindQueue(binding: Binding, options?: AbortableOptions): Promise<void> {
    const { exchange } = binding
    if (exchange === '') throw new UnsupportedByTransportError(this.#transport, 'bindings to the default exchange')
    if ((await this.#broker.exchange(exchange, options)) === undefined) throw new UnknownExchangeError(exchange)
    await this.#broker.bind(binding, options)
  }

  unbindQueue(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#broker.unbind(binding, options)
  }

  purgeQueue(name: string, options?: AbortableOptions): Promise<number> {
    return this.#broker.purge(name, options)
  }

  async publish(publications: readonly Publication[], options?: AbortableOptions): Promise<void> {
    const exchanges = namedExchanges(undefined, publications)
    const routes = exchanges === undefined ? noRoutes : await readRoutes(this.#broker, exchanges, options)
    const messages: QueueMessage[] = []
    for (let index = 0; index < publications.length; index++) {
      this.#address(publications[index] as Publication, routes, index, messages)
    }
    await this.#broker.put(messages, options)
  }

  fetch(queues: readonly string[], options: FetchOptions): Promise<readonly Delivery[]> {
    if (!(options.max >= 1))
      return Promise.reject(new RangeError(`cannot fetch ${options.max} messages; ask for 1 or more`))
    return this.#broker.fetch(queues, options)
  }

  async settle(settlements: readonly Settlement[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    let exchanges: Set<string> | undefined
    for (const { publish } of settlements) {
      if (publish !== undefined) exchanges = namedExchanges(exchanges, publish)
    }
    // Which queues a follow-up goes to is settled before the transaction, so that nothing in it waits or fails.
    const routes = exchanges === undefined ? noRoutes : await readRoutes(this.#broker, exchanges, options)
    const resolved = settlements.map((settlement, index) => this.#resolve(settlement, routes, index))
    return this.#broker.settle(resolved, options)
  }

  renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    return this.#broker.renew(deliveries, options)
  }

  close(): Promise<void> {
    return this.#broker.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #resolve(settlement: Settlement, routes: Routes, index: number): VirtualSettlement {
    const { publish, writes } = settlement
    for (const write of writes ?? []) {
      if (write.domain !== this.domain) {
        throw new UnsupportedByTransportError(this.#transport, `writes to "${write.domain}" in its own transaction`)
      }
    }
    if (publish === undefined || publish.length === 0) return settlement
    const put: QueueMessage[] = []
    for (const publication of publish) this.#address(publication, routes, index, put)
    return { ...settlement, put }
  }

  /** Appends the messages that a publication becomes: one for each queue that takes it. */
  #address(publication: Publication, routes: Routes, index: number, into: QueueMessage[]): void {
    if (publication.notBeforeMs !== undefined && !this.capabilities.delay) {
      throw new UnsupportedByTransportError(this.#transport, 'messages that are held back until a time')
    }
    const tag = publication.tag ?? this.#newTag()
    if (publication.exchange === '') {
      into.push(this.#message(publication, publication.routingKey, tag))
      return
    }
    const queues = matchingQueues(publication, routes, index)
    // Each copy is a message of its own; the same publication must get the same tags when it is repeated.
    for (const queue of queues)
      into.push(this.#message(publication, queue, queues.length === 1 ? tag : `${tag}:${queue}`))
  }

  #message(publication: Publication, queue: string, tag: string): QueueMessage {
    const { exchange, routingKey, message, notBeforeMs } = publication
    // A text body stays readable and costs no base64.
    const payload = encodeEnvelope(message, { exchange, routingKey, deliveryTag: tag, bodyEncoding: 'none' })
    const priority = clampPriority(message.properties.priority)
    return notBeforeMs === undefined
      ? { queue, tag, payload, priority }
      : { queue, tag, payload, priority, notBeforeMs }
  }
}

const defaultExchange: ExchangeDeclaration = { name: '', type: 'direct' }

function namedExchanges(found: Set<string> | undefined, publications: readonly Publication[]): Set<string> | undefined {
  let exchanges = found
  for (const { exchange } of publications) {
    if (exchange !== '') exchanges = (exchanges ?? new Set()).add(exchange)
  }
  return exchanges
}

/** 0 to 9, as kombu clamps it; what is not a number is 0. */
function clampPriority(priority: unknown): number {
  if (typeof priority !== 'number' || !(priority > 0)) return 0
  return priority >= 9 ? 9 : Math.floor(priority)
}
