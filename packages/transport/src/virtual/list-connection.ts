import { type AbortableOptions, anySignal, deferred } from '@celery/promises'
import type {
  Binding,
  Delivery,
  DeliveryRef,
  ExchangeDeclaration,
  FetchOptions,
  QueueDeclaration,
  QueueInfo,
  SettleResult,
  TransportCapabilities,
} from '../broker-connection.ts'
import { ConnectionClosedError, ConnectionLostError, UnsupportedByTransportError } from '../transport-errors.ts'
import type { ListBroker } from './list-broker.ts'
import type { ListQueues } from './list-queues.ts'
import type { QueueMessage, VirtualBroker, VirtualSettlement } from './virtual-broker.ts'

interface ListConnectionOptions {
  /** Name of the transport, for error messages. */
  readonly name: string
  /** With the password masked. */
  readonly address: string
  readonly capabilities: TransportCapabilities
  readonly now: () => number
}

/** One connection to a `ListBroker`. */
export class ListConnection implements VirtualBroker {
  readonly capabilities: TransportCapabilities
  readonly domain = undefined
  readonly leaseKeeper = undefined
  readonly closed: Promise<void>
  readonly #broker: ListBroker
  readonly #queues: ListQueues
  readonly #options: ListConnectionOptions
  readonly #onClosed = deferred()
  readonly #end = new AbortController()
  readonly #running = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined
  /** Which queue has the next turn. */
  #turn = 0

  constructor(broker: ListBroker, options: ListConnectionOptions) {
    this.#broker = broker
    this.#queues = broker.queues
    this.#options = options
    this.capabilities = options.capabilities
    this.closed = this.#onClosed.promise
    // Who looks at `closed` hears of a lost connection; who does not, hears of it from the next operation.
    this.closed.catch(() => {})
    broker.join(this)
  }

  declareExchange(exchange: ExchangeDeclaration, options?: AbortableOptions): Promise<void> {
    return this.#run(options, () => this.#queues.tables.add({ exchange }))
  }

  deleteExchange(name: string, options?: AbortableOptions): Promise<void> {
    return this.#run(options, () => this.#queues.tables.removeExchange(name))
  }

  exchange(name: string, options?: AbortableOptions): Promise<ExchangeDeclaration | undefined> {
    return this.#run(options, async () => (await this.#queues.tables.read()).exchanges.get(name))
  }

  bind(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#run(options, async () => {
      await this.#queues.tables.removeBinding(binding)
      await this.#queues.tables.add({ binding })
    })
  }

  unbind(binding: Binding, options?: AbortableOptions): Promise<void> {
    return this.#run(options, () => this.#queues.tables.removeBinding(binding))
  }

  bindings(name: string, options?: AbortableOptions): Promise<readonly Binding[]> {
    return this.#run(options, async () => {
      await this.#queues.removeUnused(this.#now())
      return (await this.#queues.tables.read()).bindings.filter(({ exchange }) => exchange === name)
    })
  }

  /** The first declaration of a queue counts. */
  declareQueue(queue: QueueDeclaration, options?: AbortableOptions): Promise<QueueInfo> {
    return this.#run(options, async () => {
      const { name } = queue
      await this.#queues.removeUnused(this.#now())
      if ((await this.#queues.tables.read()).queues.has(name)) {
        this.#queues.uses.declared(name, this.#now())
      } else {
        await this.#queues.tables.add({ queue })
        this.#queues.uses.made(queue, this, this.#now())
      }
      return { name, ...(await this.#queues.counts(name)) }
    })
  }

  deleteQueue(name: string, options?: AbortableOptions): Promise<number> {
    return this.#run(options, () => this.#queues.remove(name))
  }

  purge(name: string, options?: AbortableOptions): Promise<number> {
    return this.#run(options, () => this.#queues.purge(name))
  }

  put(messages: readonly QueueMessage[], options?: AbortableOptions): Promise<void> {
    return this.#run(options, async () => {
      for (const message of messages) await this.#queues.add(message, this.#now())
    })
  }

  /** What is ready now, or the first that becomes so. Nothing is held by somebody who has given up. */
  fetch(queues: readonly string[], { max, signal }: FetchOptions): Promise<readonly Delivery[]> {
    return this.#run({ signal }, async () => {
      using ended = anySignal(signal, this.#end.signal)
      for (;;) {
        const changed = this.#broker.changed()
        const deliveries = await this.#take(queues, max)
        if (ended.signal.aborted) {
          await this.#return(deliveries)
          throw ended.signal.reason
        }
        if (deliveries.length > 0) return deliveries
        const stopWaiting = this.#queues.uses.waiting(queues, () => this.#now())
        await this.#broker.wait(changed, ended.signal).finally(stopWaiting)
      }
    })
  }

  settle(settlements: readonly VirtualSettlement[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    return this.#run(options, async () => {
      if (settlements.some(({ action }) => action?.type === 'park')) {
        throw new UnsupportedByTransportError(this.#options.name, 'messages that are held back until a time')
      }
      const results: SettleResult[] = []
      for (const settlement of settlements) results.push(await this.#queues.settle(settlement, this.#now()))
      return results
    })
  }

  /** There is no lease to extend: a delivery is held until it is settled or its connection closes. */
  renew(deliveries: readonly DeliveryRef[], options?: AbortableOptions): Promise<readonly SettleResult[]> {
    return this.#run(options, async () =>
      deliveries.map((delivery) => (this.#queues.holds.get(delivery) === undefined ? 'stale' : 'done')),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #now(): number {
    return this.#options.now()
  }

  /** Every operation runs in here: `close` waits for it, and a store that is lost ends the connection. */
  async #run<T>(options: AbortableOptions | undefined, operation: () => Promise<T>): Promise<T> {
    this.#end.signal.throwIfAborted()
    options?.signal?.throwIfAborted()
    const running = operation()
    this.#running.add(running)
    try {
      return await running
    } catch (error) {
      if (error instanceof ConnectionLostError) {
        this.#end.abort(error)
        this.#onClosed.reject(error)
      }
      throw error
    } finally {
      this.#running.delete(running)
    }
  }

  /** One from each queue in turn, so that a full one does not keep the others waiting. */
  async #take(queues: readonly string[], max: number): Promise<readonly Delivery[]> {
    const declared = await this.#queues.tables.read()
    this.#queues.uses.fetched(queues, this, this.#now())
    const deliveries: Delivery[] = []
    try {
      for (let empty = 0; deliveries.length < max && empty < queues.length; ) {
        const queue = queues[this.#turn++ % queues.length] as string
        const delivery = await this.#queues.take(queue, this, this.#now(), declared)
        empty = delivery === undefined ? empty + 1 : 0
        if (delivery !== undefined) deliveries.push(delivery)
      }
    } catch (error) {
      // What was taken is delivered; the next fetch will meet the error if it lasts.
      if (deliveries.length === 0) throw error
    }
    return deliveries
  }

  async #return(deliveries: readonly Delivery[]): Promise<void> {
    for (const delivery of deliveries) {
      await this.#queues.settle({ delivery, action: { type: 'requeue', counted: false } }, this.#now())
    }
  }

  /** Gives back what it holds, in place and uncounted, and removes the queues that end with it. */
  async #close(): Promise<void> {
    const wasLost = this.#end.signal.aborted
    this.#end.abort(new ConnectionClosedError(this.#options.address))
    await Promise.allSettled(this.#running)
    try {
      for (const queue of this.#queues.uses.endingWith(this)) await this.#queues.remove(queue)
      await this.#queues.giveBack(this)
    } catch (error) {
      // A store that is gone takes nothing back, and its owner has heard of that.
      if (!wasLost) throw error
    } finally {
      this.#onClosed.resolve()
      await this.#broker.leave(this)
    }
  }
}
