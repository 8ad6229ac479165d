import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  type AbortableOptions,
  type Clock,
  type Deferred,
  deferred,
  onAbort,
  sleep,
  systemClock,
  unlessAborted,
} from '@celery/promises'
import { decodeEnvelope, type WireMessage } from '@celery/protocol'
import type { BrokerConnection, Delivery, QueueDeclaration } from '@celery/transport'
import type { Connection } from './connection.ts'
import { answered, defaultAnswerTimeoutMs, noAnswer, schedulePatiently } from './no-answer.ts'
import { retryPauseMs } from './retry-pause.ts'
import { isConnectionClosed, isConnectionLost, isTemporary } from './temporary-errors.ts'

export interface ConsumerOptions {
  readonly connection: Connection
  /** Declared on every new connection, then consumed; `setQueues` changes them. */
  readonly queues: readonly QueueDeclaration[]
  /** Declares what is to be consumed, on every new connection. @defaultValue declares the queues, and nothing else */
  readonly declare?: (broker: BrokerConnection, options: AbortableOptions) => Promise<void>
  /**
   * How many more messages can be taken now, beside `coming` that were fetched and are about to be handed out; asked before
   * every fetch. Call `wake()` when it grew.
   */
  readonly capacity: (coming: number) => number
  /**
   * Asks for more before it hands out what came, so that the broker works on the one while the owner works on the other. Of
   * no use with a broker in this process. Where not, `coming` is always 0. @defaultValue `false`
   */
  readonly ahead?: boolean | undefined
  /** Gets what was fetched, a large batch in parts, one after the other. Must not throw. */
  readonly onMessages: (messages: readonly IncomingMessage[]) => void
  /** Something failed on the connection; the consumer goes on with a new one, unless its owner closed the connection. */
  readonly onError: (error: unknown) => void
  /** Something failed, and consuming goes on all the same: a check, for example. @defaultValue `onError` */
  readonly onSetback?: ((error: unknown) => void) | undefined
  /** A connection is up and its queues are declared; also after every reconnect. */
  readonly onConsuming?: (broker: BrokerConnection) => void
  /**
   * Milliseconds after which what is consumed is declared again, also amid a wait for messages, and the wait begun anew: so
   * a wake-up that was lost, a queue or a binding that somebody removed, and a connection that has died in silence do not
   * go unnoticed for longer. `Infinity` checks nothing. @defaultValue `30_000`
   */
  readonly checkMs?: number | undefined
  /** Milliseconds without an answer after which the connection counts as lost. @defaultValue `30_000` */
  readonly answerTimeoutMs?: number | undefined
  /** Whose time passes between two attempts and two checks. @defaultValue `systemClock` */
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
  readonly #onSetback: (error: unknown) => void
  readonly #clock: Clock
  readonly #answerTimeoutMs: number
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
  /** The queues of this round, */
  #names: readonly string[] = []
  /** and when it ends by itself, on the monotonic clock. */
  #checkAtMs = Infinity

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#onSetback = options.onSetback ?? options.onError
    this.#queues = options.queues
    this.#clock = options.clock ?? systemClock
    this.#answerTimeoutMs = options.answerTimeoutMs ?? defaultAnswerTimeoutMs
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
        await sleep(pauseMs, { signal, clock: this.#clock }).catch(unlessAborted(signal))
      }
    }
    ready.resolve()
  }

  #declare(broker: BrokerConnection, options: AbortableOptions): Promise<void> {
    return answered('a declaration', this.#declareAll(broker, options), {
      address: this.#options.connection.address,
      timeoutMs: this.#answerTimeoutMs,
      ...options,
    })
  }

  async #declareAll(broker: BrokerConnection, options: AbortableOptions): Promise<void> {
    if (this.#options.declare !== undefined) await this.#options.declare(broker, options)
    else for (const queue of this.#queues) await broker.declareQueue(queue, options)
  }

  async #consume(broker: BrokerConnection): Promise<void> {
    this.#beginRound(namesOf(this.#queues))
    let asked: Asked | undefined
    // What was asked for ahead may have come, also after it was stopped.
    while (asked !== undefined || !this.#stop.signal.aborted) {
      try {
        asked ??= await this.#ask(broker)
        if (asked !== undefined) asked = await this.#handOut(broker, asked)
      } catch (error) {
        asked = undefined
        if (error !== queuesChanged && error !== checkDue) throw error
      }
    }
  }

  /** Asks for as many as there is room for, and waits until there is some; `undefined` where it is to look again. */
  async #ask(broker: BrokerConnection): Promise<Asked | undefined> {
    if (this.#isCheckDue) this.#round.abort(checkDue)
    if (this.#round.signal.aborted) await this.#declareRound(broker)
    const max = this.#capacity(0)
    if (max > 0) return this.#beginFetch(broker, max)
    this.#room = deferred()
    // Between the question and the promise room may have come.
    if (this.#capacity(0) <= 0 && !this.#round.signal.aborted) await this.#room.promise
    this.#room = undefined
    return undefined
  }

  /** Begins a round: what is consumed, and until when that is not looked at again. */
  #beginRound(names: readonly string[]): void {
    const { checkMs = defaultCheckMs } = this.#options
    this.#names = names
    this.#checkAtMs = this.#clock.monotonic() + checkMs
  }

  /** Declares what is to be consumed from now on. */
  async #declareRound(broker: BrokerConnection): Promise<void> {
    const isCheck = this.#round.signal.reason === checkDue
    this.#round = new AbortController()
    const names = namesOf(this.#queues)
    try {
      await this.#declare(broker, { signal: this.#stop.signal })
    } catch (error) {
      // What was declared before is still consumed, whatever keeps it from being declared again.
      if (!isCheck || this.#stop.signal.aborted || isConnectionLost(error) || isConnectionClosed(error)) throw error
      this.#onSetback(error)
    }
    this.#beginRound(names)
  }

  get #isCheckDue(): boolean {
    return this.#clock.monotonic() >= this.#checkAtMs
  }

  #beginFetch(broker: BrokerConnection, max: number): Asked {
    const deliveries = this.#fetch(broker, max)
    // It may fail before it is waited for.
    deliveries.catch(noop)
    return { deliveries }
  }

  /** The next fetch, while `coming` are still to be handed out. Whatever keeps it from that, these are not to be lost. */
  #askAhead(broker: BrokerConnection, coming: number): Asked | undefined {
    if (this.#options.ahead !== true || this.#round.signal.aborted || this.#isCheckDue) return undefined
    try {
      const max = this.#capacity(coming)
      return max > 0 ? this.#beginFetch(broker, max) : undefined
    } catch (error) {
      this.#onSetback(error)
      return undefined
    }
  }

  /**
   * Hands out what was asked for; resolves to what it has asked for before that. A function of its own, so that nothing
   * keeps what was fetched while the next is waited for.
   */
  async #handOut(broker: BrokerConnection, asked: Asked): Promise<Asked | undefined> {
    const deliveries = await asked.deliveries
    this.#failures = 0
    const next = this.#askAhead(broker, deliveries.length)
    // Drivers send at the end of the turn, and these may take long.
    if (next !== undefined) await nextTurn()
    for (let at = 0; at < deliveries.length; at += portion) {
      this.#options.onMessages(deliveries.slice(at, at + portion).map(decodeDelivery))
    }
    // A fetch that need not wait must not starve sockets and timers.
    if (next === undefined) await nextTurn()
    return next
  }

  /** Waits until the next check at most. A driver that does not even end a wait that was aborted has lost its connection. */
  async #fetch(broker: BrokerConnection, max: number): Promise<readonly Delivery[]> {
    const round = this.#round
    const deaf = deferred<never>()
    let cancelDeaf: (() => void) | undefined
    const expectEnd = (): void => {
      cancelDeaf = schedulePatiently(this.#clock, this.#answerTimeoutMs, () => {
        deaf.reject(noAnswer('the end of a fetch', this.#options.connection.address, this.#answerTimeoutMs))
        this.#giveBackLate(fetching)
      })
    }
    const checkInMs = this.#checkAtMs - this.#clock.monotonic()
    const cancelCheck = Number.isFinite(checkInMs)
      ? this.#clock.schedule(checkInMs, () => round.abort(checkDue), { unref: true })
      : noop
    const forget = onAbort(round.signal, expectEnd)
    if (round.signal.aborted) expectEnd()
    const fetching = broker.fetch(this.#names, { max, signal: round.signal })
    try {
      return await Promise.race([fetching, deaf.promise])
    } finally {
      cancelCheck()
      forget()
      cancelDeaf?.()
    }
  }

  /** What a fetch brings after it was given up is held by nobody. */
  #giveBackLate(fetching: Promise<readonly Delivery[]>): void {
    const giveBack = async (deliveries: readonly Delivery[]): Promise<void> => {
      const broker = await this.#options.connection.broker()
      const action = { type: 'requeue', counted: false } as const
      await broker.settle(deliveries.map(({ fence, queue, tag }) => ({ delivery: { fence, queue, tag }, action })))
    }
    // One that fails in the end has brought nothing.
    fetching.then((deliveries) => giveBack(deliveries).catch(this.#onSetback), noop)
  }

  #capacity(coming: number): number {
    return this.#queues.length === 0 ? 0 : this.#options.capacity(coming)
  }
}

/** A fetch that is under way: an object around its promise, so that nothing waits for it by mistake. */
interface Asked {
  readonly deliveries: Promise<readonly Delivery[]>
}

const stopped = new Error('the consumer was stopped')
const checkDue = new Error('what the consumer has is checked now')
const queuesChanged = new Error('the consumer has other queues now')

const defaultCheckMs = 30_000
/** Messages that are in memory as they came and decoded, both at the same time. */
const portion = 50

function namesOf(queues: readonly QueueDeclaration[]): readonly string[] {
  return queues.map(({ name }) => name)
}

function noop(): void {}

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
