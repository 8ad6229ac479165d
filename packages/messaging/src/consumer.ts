import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Deferred, deferred } from '@celery/promises'
import { decodeEnvelope, type WireMessage } from '@celery/protocol'
import type { BrokerConnection, Delivery, QueueDeclaration } from '@celery/transport'
import type { Connection } from './connection.ts'

export interface ConsumerOptions {
  readonly connection: Connection
  /** Declared on every new connection, then consumed. */
  readonly queues: readonly QueueDeclaration[]
  /** How many more messages can be taken now; asked before every fetch. Call `wake()` when it grew. */
  readonly capacity: () => number
  /** Gets every batch that was fetched. Must not throw. */
  readonly onMessages: (messages: readonly IncomingMessage[]) => void
  /** Something failed on the connection; the consumer goes on with a new one. */
  readonly onError: (error: unknown) => void
  /** A connection is up and its queues are declared; also after every reconnect. */
  readonly onConsuming?: (broker: BrokerConnection) => void
}

/** A delivery after the one guarded decode: a message, or why it is none. */
export type IncomingMessage =
  | { readonly delivery: Delivery; readonly message: WireMessage; readonly error?: undefined }
  | { readonly delivery: Delivery; readonly message?: undefined; readonly error: Error }

/**
 * Takes messages from queues as fast as its owner has room for them. Survives the broker: a failed connection is
 * discarded, and on the next one the same queues are declared and consumed again.
 */
export class Consumer {
  readonly #options: ConsumerOptions
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  #room: Deferred<void> | undefined

  constructor(options: ConsumerOptions) {
    this.#options = options
  }

  /** Begins to consume. Resolves when the queues are declared. */
  async start(): Promise<void> {
    if (this.#running !== undefined) return
    const ready = deferred()
    this.#running = this.#run(ready)
    await ready.promise
  }

  /** Tells that `capacity` may have grown. */
  wake(): void {
    this.#room?.resolve()
  }

  /** Takes no further message; resolves when no fetch is under way. Safe twice and before `start`. */
  async stop(): Promise<void> {
    this.#stop.abort(stopped)
    this.wake()
    await this.#running
  }

  async #run(ready: Deferred<void>): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      let broker: BrokerConnection | undefined
      try {
        broker = await this.#options.connection.untilBroker({ signal })
        for (const queue of this.#options.queues) await broker.declareQueue(queue, { signal })
        ready.resolve()
        this.#options.onConsuming?.(broker)
        await this.#consume(broker)
      } catch (error) {
        if (signal.aborted) break
        this.#options.onError(error)
        if (broker === undefined) {
          // Not a lost connection, which `untilBroker` waits for: no driver, a wrong URL. Trying again changes nothing.
          ready.reject(error)
          return
        }
        await this.#options.connection.discard(broker)
      }
    }
    ready.resolve()
  }

  async #consume(broker: BrokerConnection): Promise<void> {
    const { signal } = this.#stop
    const names = this.#options.queues.map(({ name }) => name)
    while (!signal.aborted) {
      const max = this.#options.capacity()
      if (max <= 0) {
        this.#room = deferred()
        // Between the question and the promise room may have come.
        if (this.#options.capacity() <= 0) await this.#room.promise
        this.#room = undefined
        continue
      }
      const deliveries = await broker.fetch(names, { max, signal })
      this.#options.onMessages(deliveries.map(decodeDelivery))
      // A fetch that need not wait must not starve sockets and timers.
      await nextTurn()
    }
  }
}

const stopped = new Error('the consumer was stopped')

function decodeDelivery(delivery: Delivery): IncomingMessage {
  const { payload } = delivery
  if (typeof payload === 'object' && !(payload instanceof Uint8Array)) return { delivery, message: payload }
  try {
    return { delivery, message: decodeEnvelope(payload) }
  } catch (error) {
    return { delivery, error: error as Error }
  }
}
