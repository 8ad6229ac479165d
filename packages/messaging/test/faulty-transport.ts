import { type AbortableOptions, abortable } from '@celery/promises'
import {
  type BrokerAddress,
  type BrokerConnection,
  type CloseOptions,
  ConnectionLostError,
  type Delivery,
  type OpenOptions,
  parseBrokerUrl,
  type Transport,
} from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'

/** What can be made to fail. */
export type Operation = 'open' | 'declareQueue' | 'publish' | 'fetch' | 'settle' | 'renew' | 'close'

export type Fault =
  /** The broker does not do it and says why; a `ConnectionLostError` ends the connection too. */
  | { readonly type: 'refuse'; readonly error: Error }
  /** The broker does it; the connection ends before the answer comes. */
  | { readonly type: 'lose answer' }
  /** The broker does it once `until` resolves, unless it is aborted before. */
  | { readonly type: 'delay'; readonly until: Promise<void> }
  /** The broker does it; the answer comes once `until` resolves, whether anybody waits for it or not. */
  | { readonly type: 'late'; readonly until: Promise<void> }
  /** As `delay`, without an end, and deaf to `signal`: a driver with a fault of its own. */
  | { readonly type: 'hang' }

/** What was asked of the broker. */
export interface Call {
  readonly operation: Operation
  /** Host of the broker, where a connection was opened. */
  readonly host: string | undefined
  /** Publications, settlements, or the most messages to fetch. */
  readonly size: number
}

/**
 * A memory broker at the end of a wire that fails on command. Each fault given to `inject` befalls one call, in order,
 * on whatever connection it comes; `cut` ends all connections there are.
 */
export class FaultyTransport implements Transport {
  readonly name = 'faulty'
  readonly calls: Call[] = []
  /** Of the connections that were opened, in order. */
  readonly sessions: (string | undefined)[] = []
  /** Changes what a fetch delivers. */
  rewrite: (payload: Delivery['payload']) => Delivery['payload'] = (payload) => payload
  /** Most connections that were open at the same time. */
  mostOpen = 0
  readonly #options: { readonly sessions?: boolean }
  #memory: Transport
  readonly #open = new Set<Wire>()
  readonly #faults = new Map<Operation, Fault[]>()
  readonly #unreachable = new Set<string>()
  readonly #watchers = new Set<() => void>()

  /** @param options - `sessions`: deliveries outlive their connection, as on Redis */
  constructor(options: { readonly sessions?: boolean } = {}) {
    this.#options = options
    this.#memory = memoryTransport(options)
  }

  get capabilities(): Transport['capabilities'] {
    return this.#memory.capabilities
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.#open.size
  }

  async open(address: BrokerAddress, options: OpenOptions = {}): Promise<BrokerConnection> {
    return this.#perform('open', address.host, 1, options, undefined, async () => {
      if (this.#unreachable.has(address.host ?? '')) throw new ConnectionLostError(address.toString())
      this.sessions.push(options.session)
      const wire = new Wire(await this.#memory.open(address, options), address.toString())
      this.#open.add(wire)
      this.mostOpen = Math.max(this.mostOpen, this.#open.size)
      wire.onEnd = () => this.#open.delete(wire)
      return this.#faulty(wire)
    })
  }

  /** The next calls of `operation` meet these faults, one each. */
  inject(operation: Operation, ...faults: readonly Fault[]): void {
    this.#faults.set(operation, [...(this.#faults.get(operation) ?? []), ...faults])
  }

  /** Whether brokers of that host accept connections. */
  reach(host: string, reachable: boolean): void {
    if (reachable) this.#unreachable.delete(host)
    else this.#unreachable.add(host)
  }

  /** Ends all connections, as a broken wire does. What they held goes back to the queues, except with sessions. */
  async cut(): Promise<void> {
    await Promise.all([...this.#open].map((wire) => wire.lose()))
  }

  /** Ends all connections, and with them the broker: the next ones are to another one, which is empty. */
  async reset(): Promise<void> {
    this.#memory = memoryTransport(this.#options)
    await this.cut()
  }

  /** A connection past the faults, to look behind the scenes. */
  direct(url = 'faulty://'): Promise<BrokerConnection> {
    return this.#memory.open(parseBrokerUrl(url))
  }

  /** Sizes of the calls of `operation` so far. */
  sizes(operation: Operation): readonly number[] {
    return this.calls.filter((call) => call.operation === operation).map(({ size }) => size)
  }

  /** Resolves as soon as there were `count` calls of `operation`. */
  async called(operation: Operation, count = 1): Promise<void> {
    while (this.sizes(operation).length < count) {
      await new Promise<void>((resolve) => this.#watchers.add(resolve))
    }
  }

  async #perform<T>(
    operation: Operation,
    host: string | undefined,
    size: number,
    { signal }: AbortableOptions,
    wire: Wire | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    this.calls.push({ operation, host, size })
    for (const wake of this.#watchers) wake()
    this.#watchers.clear()
    signal?.throwIfAborted()
    wire?.lost.throwIfAborted()
    const fault = this.#faults.get(operation)?.shift()
    switch (fault?.type) {
      case 'refuse':
        if (fault.error instanceof ConnectionLostError) await wire?.lose()
        throw fault.error
      case 'lose answer':
        await run()
        await wire?.lose()
        throw wire?.lost.reason
      case 'delay':
        await abortable(fault.until, signal)
        break
      case 'late': {
        const answer = await run()
        await fault.until
        return answer
      }
      case 'hang':
        await new Promise(() => undefined)
    }
    return abortable(run(), wire?.lost)
  }

  #faulty(wire: Wire): BrokerConnection {
    const { broker } = wire
    const replaced: Partial<BrokerConnection> = {
      declareQueue: (queue, options = {}) =>
        this.#perform('declareQueue', undefined, 1, options, wire, () => broker.declareQueue(queue, options)),
      publish: (publications, options = {}) =>
        this.#perform('publish', undefined, publications.length, options, wire, () =>
          broker.publish(publications, options),
        ),
      fetch: (queues, options) =>
        this.#perform('fetch', undefined, options.max, options, wire, async () => {
          const deliveries = await broker.fetch(queues, options)
          return deliveries.map((delivery) => ({ ...delivery, payload: this.rewrite(delivery.payload) }))
        }),
      settle: (settlements, options = {}) =>
        this.#perform('settle', undefined, settlements.length, options, wire, () =>
          broker.settle(settlements, options),
        ),
      renew: (deliveries, options = {}) =>
        this.#perform('renew', undefined, deliveries.length, options, wire, () => broker.renew(deliveries, options)),
      close: (options) => this.#perform('close', undefined, 1, {}, undefined, () => wire.end(options)),
    }
    return new Proxy(broker, {
      get(target, name) {
        if (Object.hasOwn(replaced, name)) return replaced[name as keyof BrokerConnection]
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

/** One connection of the memory broker, and whether it still leads there. */
class Wire {
  readonly broker: BrokerConnection
  readonly #address: string
  readonly #lost = new AbortController()
  onEnd: () => void = () => undefined

  constructor(broker: BrokerConnection, address: string) {
    this.broker = broker
    this.#address = address
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  async lose(): Promise<void> {
    this.#lost.abort(new ConnectionLostError(this.#address))
    await this.end({ sessionGoesOn: true })
  }

  async end(options?: CloseOptions): Promise<void> {
    this.onEnd()
    await this.broker.close(options)
  }
}
