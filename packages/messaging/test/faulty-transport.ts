import { type AbortableOptions, abortable } from '@celery/promises'
import {
  type BrokerAddress,
  type BrokerConnection,
  ConnectionLostError,
  type Delivery,
  type FetchOptions,
  type OpenOptions,
  type Publication,
  type QueueDeclaration,
  type QueueInfo,
  type Settlement,
  type SettleResult,
  type Transport,
} from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'

export type Operation = 'open' | 'declareQueue' | 'publish' | 'fetch' | 'settle'

export type Fault =
  /** The broker does not do it and says why; a `ConnectionLostError` ends the connection too. */
  | { readonly type: 'refuse'; readonly error: Error }
  /** The broker does it; the connection ends before it can say so. */
  | { readonly type: 'lose answer' }
  /** The broker does it once `until` resolves; it may be aborted before. */
  | { readonly type: 'delay'; readonly until: Promise<void> }

/** What was asked of the broker, in order. */
export interface Call {
  readonly operation: Operation
  /** URL of the broker, or `''` for what goes over an open connection. */
  readonly url: string
  /** Publications, settlements, or the most messages to fetch. */
  readonly size: number
}

/**
 * A memory broker at the end of a wire that fails on command. Each fault given to `inject` befalls one call, in order,
 * on whatever connection it comes; `cut` ends all connections there are.
 */
export class FaultyTransport implements Transport {
  readonly #memory = memoryTransport()
  readonly name = 'faulty'
  readonly capabilities = this.#memory.capabilities
  /** Connections that are open now. */
  readonly open_ = new Set<FaultyConnection>()
  readonly calls: Call[] = []
  /** Most connections that were open at the same time. */
  mostOpen = 0
  readonly #faults = new Map<Operation, Fault[]>()
  readonly #refusing = new Map<string, Error>()
  readonly #watchers = new Set<() => void>()

  async open(address: BrokerAddress, options: OpenOptions = {}): Promise<BrokerConnection> {
    const url = address.toString()
    return this.perform('open', { url }, options, async () => {
      const refusal = this.#refusing.get(address.host ?? '')
      if (refusal !== undefined) throw refusal
      const connection = new FaultyConnection(this, await this.#memory.open(address, options))
      this.open_.add(connection)
      this.mostOpen = Math.max(this.mostOpen, this.open_.size)
      return connection
    })
  }

  /** The next call of `operation` without a fault before it meets this one. */
  inject(operation: Operation, ...faults: readonly Fault[]): void {
    this.#faults.set(operation, [...(this.#faults.get(operation) ?? []), ...faults])
  }

  /** No connection to `host` is accepted from now on, until `error` is `undefined`. */
  refuse(host: string, error: Error | undefined = lost()): void {
    if (error === undefined) this.#refusing.delete(host)
    else this.#refusing.set(host, error)
  }

  accept(host: string): void {
    this.#refusing.delete(host)
  }

  /** Ends all connections, as a broken wire does. What they held goes back to the queues. */
  async cut(): Promise<void> {
    await Promise.all([...this.open_].map((connection) => connection.lose()))
  }

  /** A connection that works, for a test to look behind the scenes. */
  direct(url = 'faulty://'): Promise<BrokerConnection> {
    return this.#memory.open({ ...addressOf(url), toString: () => url })
  }

  count(operation: Operation): number {
    return this.calls.filter((call) => call.operation === operation).length
  }

  sizes(operation: Operation): number[] {
    return this.calls.filter((call) => call.operation === operation).map(({ size }) => size)
  }

  /** Resolves as soon as `operation` was called `count` times. */
  async called(operation: Operation, count = 1): Promise<void> {
    while (this.count(operation) < count) await new Promise<void>((resolve) => this.#watchers.add(resolve))
  }

  /** @internal */
  async perform<T>(
    operation: Operation,
    { url = '', size = 1 }: { readonly url?: string; readonly size?: number },
    { signal }: AbortableOptions,
    run: () => Promise<T>,
    connection?: FaultyConnection,
  ): Promise<T> {
    this.calls.push({ operation, url, size })
    for (const wake of this.#watchers) wake()
    this.#watchers.clear()
    signal?.throwIfAborted()
    connection?.assertAlive()
    const fault = this.#faults.get(operation)?.shift()
    switch (fault?.type) {
      case undefined:
        break
      case 'refuse':
        if (fault.error instanceof ConnectionLostError) await connection?.lose()
        throw fault.error
      case 'delay':
        await abortable(fault.until, signal)
        break
      case 'lose answer':
        await run()
        await connection?.lose()
        throw lost()
    }
    return connection === undefined ? run() : abortable(run(), connection.lost)
  }
}

class FaultyConnection implements BrokerConnection {
  readonly #transport: FaultyTransport
  readonly #inner: BrokerConnection
  readonly #lost = new AbortController()

  constructor(transport: FaultyTransport, inner: BrokerConnection) {
    this.#transport = transport
    this.#inner = inner
  }

  get capabilities(): BrokerConnection['capabilities'] {
    return this.#inner.capabilities
  }

  get domain(): string | undefined {
    return this.#inner.domain
  }

  get closed(): Promise<void> {
    return this.#inner.closed
  }

  get leaseKeeper(): BrokerConnection['leaseKeeper'] {
    return this.#inner.leaseKeeper
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  assertAlive(): void {
    this.#lost.signal.throwIfAborted()
  }

  async lose(): Promise<void> {
    this.#lost.abort(lost())
    await this.close()
  }

  declareQueue(queue: QueueDeclaration, options: AbortableOptions = {}): Promise<QueueInfo> {
    return this.#perform('declareQueue', 1, options, () => this.#inner.declareQueue(queue, options))
  }

  publish(publications: readonly Publication[], options: AbortableOptions = {}): Promise<void> {
    return this.#perform('publish', publications.length, options, () => this.#inner.publish(publications, options))
  }

  fetch(queues: readonly string[], options: FetchOptions): Promise<readonly Delivery[]> {
    return this.#perform('fetch', options.max, options, () => this.#inner.fetch(queues, options))
  }

  settle(settlements: readonly Settlement[], options: AbortableOptions = {}): Promise<readonly SettleResult[]> {
    return this.#perform('settle', settlements.length, options, () => this.#inner.settle(settlements, options))
  }

  async close(): Promise<void> {
    this.#transport.open_.delete(this)
    await this.#inner.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  declareExchange(...args: Parameters<BrokerConnection['declareExchange']>): Promise<void> {
    return this.#inner.declareExchange(...args)
  }

  deleteExchange(...args: Parameters<BrokerConnection['deleteExchange']>): Promise<void> {
    return this.#inner.deleteExchange(...args)
  }

  deleteQueue(...args: Parameters<BrokerConnection['deleteQueue']>): Promise<number> {
    return this.#inner.deleteQueue(...args)
  }

  bindQueue(...args: Parameters<BrokerConnection['bindQueue']>): Promise<void> {
    return this.#inner.bindQueue(...args)
  }

  unbindQueue(...args: Parameters<BrokerConnection['unbindQueue']>): Promise<void> {
    return this.#inner.unbindQueue(...args)
  }

  purgeQueue(...args: Parameters<BrokerConnection['purgeQueue']>): Promise<number> {
    return this.#inner.purgeQueue(...args)
  }

  renew(...args: Parameters<BrokerConnection['renew']>): ReturnType<BrokerConnection['renew']> {
    return this.#inner.renew(...args)
  }

  #perform<T>(operation: Operation, size: number, options: AbortableOptions, run: () => Promise<T>): Promise<T> {
    return this.#transport.perform(operation, { size }, options, run, this)
  }
}
