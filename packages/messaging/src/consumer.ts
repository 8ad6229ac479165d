import { setImmediate as nextTurn } from 'node:timers/promises'
import { type AbortableOptions, type Clock, type Deferred, deferred, sleep, unlessAborted } from '@celery/promises'
import { decodeEnvelope, type WireMessage } from '@celery/protocol'
import type { BrokerConnection, Delivery, QueueDeclaration } from '@celery/transport'
import type { Connection } from './connection.ts'
import { retryPauseMs } from './retry-pause.ts'
import { isConnectionClosed, isConnectionLost, isTemporary } from './temporary-errors.ts'

export interface ConsumerOptions {
  readonly connection: Connection
  /** Declared on every new connection, then consumed; `setQueues` changes them. */
  readonly queues: readonly QueueDeclaration[]
  /** Declares what is to be consumed, on every new connection. @defaultValue declares the queues, and nothing else */
  readonly declare?: (broker: BrokerConnection, options: AbortableOptions) => Promise<void>
  /** How many more messages can be taken now; asked before every fetch. Call `wake()` when it grew. */
  readonly capacity: () => number
  /** Gets every batch that was fetched. Must not throw. */
  readonly onMessages: (messages: readonly IncomingMessage[]) => void
  /** Something failed on the connection; the consumer goes on with a new one, unless its owner closed the connection. */
  readonly onError: (error: unknown) => void
  /** A connection is up and its queues are declared; also after every reconnect. */
  readonly onConsuming?: (broker: BrokerConnection) => void
  /** Whose time passes between two attempts. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

/** A delivery without what it carried: as long as a task runs, its envelope would be kept for nothing. */
export type ReceivedDelivery = Omit<Delivery, 'payload'>

/** A delivery after the one guarded decode: a message, or why it is none. */
export type IncomingMessage =
  | {
      readonly delivery: ReceivedDelivery
      readonly message: WireMessage
      /** What `message` was decoded from, for whoever passes it on as it is; absent where the broker has no envelopes. */
      readonly envelope: string | Uint8Array | undefined
      readonly error?: undefined
    }
  | { readonly delivery: ReceivedDelivery; readonly message?: undefined; readonly error: Error }

/**
 * Takes messages from queues as fast as its owner has room for them. Survives the broker: a failed connection is
 * discarded, and on the next one the same queues are declared and consumed again. Ends when it is stopped, or with a
 * connection that its owner closes.
 */
export class Consumer {
  /**
   * Resolves when it takes nothing any more: it was stopped, its owner closed the connection, or `start` rejected. Never
   * rejects: what failed was told to `onError`.
   */
  readonly closed: Promise<void>
  readonly #options: ConsumerOptions
  readonly #stop = new AbortController()
  readonly #onClosed = deferred()
  #started: Deferred<void> | undefined
  #running: Promise<void> | undefined
  /** Connections in a row that failed before they delivered anything. */
  #failures = 0
  #room: Deferred<void> | undefined
  #queues: readonly QueueDeclaration[]
  /** Ends a fetch that waits for other queues than it should. */
  #round = new AbortController()

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#queues = options.queues
    this.closed = this.#onClosed.promise
  }

  /** Begins to consume. Resolves when the queues are declared; rejects where no later attempt could do that. Safe twice. */
  async start(): Promise<void> {
    if (this.#started === undefined) {
      this.#started = deferred()
      this.#running = this.#run(this.#started).finally(this.#onClosed.resolve)
    }
    await this.#started.promise
  }

  /** Tells that `capacity` may have grown. */
  wake(): void {
    this.#room?.resolve()
  }

  /** Consumes these queues from now on; declares them before. None is allowed. */
  setQueues(queues: readonly QueueDeclaration[]): void {
    this.#queues = queues
    this.#round.abort(queuesChanged)
    this.wake()
  }

  /** Takes no further message; resolves when no fetch is under way. Safe twice and before `start`. */
  async stop(): Promise<void> {
    this.#stop.abort(stopped)
    this.#round.abort(stopped)
    this.wake()
    await this.#running
    this.#onClosed.resolve()
  }

  async #run(ready: Deferred<void>): Promise<void> {
    const { signal } = this.#stop
    let isReady = false
    while (!signal.aborted) {
      let broker: BrokerConnection | undefined
      try {
        broker = await this.#options.connection.untilBroker({ signal })
        await this.#declare(broker, { signal })
        isReady = true
        ready.resolve()
        this.#options.onConsuming?.(broker)
        await this.#consume(broker)
      } catch (error) {
        if (signal.aborted) break
        this.#options.onError(error)
        if (!isReady && !isTemporary(error)) {
          // Trying again changes nothing: no driver, a wrong URL, a queue that cannot be declared.
          ready.reject(error)
          return
        }
        // Closed by its owner: there will be no other one.
        if (broker === undefined && isConnectionClosed(error)) return
        // A busy broker keeps its connection: giving it up would give back all that is held, and run it twice.
        if (broker !== undefined && (!isTemporary(error) || isConnectionLost(error))) {
          await this.#options.connection.discard(broker, { signal })
        }
        // The first time at once; a broker that goes on failing is not asked without pause.
        const pauseMs = this.#failures === 0 ? 0 : retryPauseMs(this.#failures - 1)
        this.#failures++
        await sleep(pauseMs, { signal, clock: this.#options.clock }).catch(unlessAborted(signal))
      }
    }
    ready.resolve()
  }

  async #declare(broker: BrokerConnection, options: AbortableOptions): Promise<void> {
    if (this.#options.declare !== undefined) await this.#options.declare(broker, options)
    else for (const queue of this.#queues) await broker.declareQueue(queue, options)
  }

  async #consume(broker: BrokerConnection): Promise<void> {
    const { signal } = this.#stop
    let names = this.#queues.map(({ name }) => name)
    while (!signal.aborted) {
      if (this.#round.signal.aborted) {
        this.#round = new AbortController()
        names = this.#queues.map(({ name }) => name)
        await this.#declare(broker, { signal })
      }
      const max = this.#capacity()
      if (max <= 0) {
        this.#room = deferred()
        // Between the question and the promise room may have come.
        if (this.#capacity() <= 0 && !this.#round.signal.aborted) await this.#room.promise
        this.#room = undefined
        continue
      }
      try {
        const deliveries = await broker.fetch(names, { max, signal: this.#round.signal })
        this.#failures = 0
        this.#options.onMessages(deliveries.map(decodeDelivery))
      } catch (error) {
        if (error !== queuesChanged) throw error
      }
      // A fetch that need not wait must not starve sockets and timers.
      await nextTurn()
    }
  }

  #capacity(): number {
    return this.#queues.length === 0 ? 0 : this.#options.capacity()
  }
}

const stopped = new Error('the consumer was stopped')
const queuesChanged = new Error('the consumer has other queues now')

/** The one guarded decode. */
export function decodeDelivery({ deadReason, fence, payload, queue, redeliveries, tag }: Delivery): IncomingMessage {
  const delivery: ReceivedDelivery =
    deadReason === undefined ? { queue, tag, fence, redeliveries } : { queue, tag, fence, redeliveries, deadReason }
  if (typeof payload === 'object' && !(payload instanceof Uint8Array)) {
    return { delivery, message: payload, envelope: undefined }
  }
  try {
    return { delivery, message: decodeEnvelope(payload), envelope: payload }
  } catch (error) {
    return { delivery, error: error as Error }
  }
}
