import { randomUUID } from 'node:crypto'
import {
  type AbortableOptions,
  abortable,
  anySignal,
  type Clock,
  type RetryPolicy,
  retry,
  sleep,
  systemClock,
  unlessAborted,
  withDeadline,
} from '@celery/promises'
import {
  type BrokerAddress,
  type BrokerConnection,
  type CloseOptions,
  ConnectionClosedError,
  ConnectionLostError,
  type OpenOptions,
  parseBrokerUrl,
} from '@celery/transport'
import { CloseTimeoutError } from './close-timeout-error.ts'
import { Failover, type FailoverStrategy } from './failover.ts'
import { answered } from './no-answer.ts'
import { retryPauseMs } from './retry-pause.ts'
import { isConnectionClosed, isConnectionLost, isTemporary } from './temporary-errors.ts'
import type { TransportRegistry } from './transport-registry.ts'

export interface ConnectionOptions {
  /** Broker URLs, each of which may name several brokers; where one cannot be reached the next one is tried. */
  readonly urls: readonly string[]
  readonly transports: TransportRegistry
  /** Which one is next (`broker_failover_strategy`). @defaultValue `'round-robin'` */
  readonly failoverStrategy?: FailoverStrategy | undefined
  /** Handed to the driver. The session is the connection's own, and the same each time. */
  readonly open?: Omit<OpenOptions, 'session' | 'signal'>
  /** Milliseconds that a driver has to open a connection to one broker before the next one is tried. @defaultValue `30_000` */
  readonly openTimeoutMs?: number | undefined
  /** Milliseconds that a driver has to close a connection before it is left behind. @defaultValue `5_000` */
  readonly closeTimeoutMs?: number | undefined
  /** Called for every failed attempt and every lost connection, before the next attempt. */
  readonly onError?: (error: unknown, info: ReconnectInfo) => void
  readonly clock?: Clock
}

export interface ReconnectInfo {
  /** Failed attempts since the broker was last there. */
  readonly attempt: number
  /** Milliseconds until the next attempt; `undefined` where the caller decides. */
  readonly retryInMs: number | undefined
}

export interface EnsureOptions extends AbortableOptions {
  /** How often to try again, and when; Celery's names, in seconds. @defaultValue as `untilBroker`: until it succeeds or `signal` aborts */
  readonly retryPolicy?: RetryPolicy | undefined
}

/**
 * One supervised connection to a broker. At most one connection of the driver is alive at a time; a failed one is
 * discarded whole and replaced. Drivers never reconnect by themselves.
 */
export class Connection implements AsyncDisposable {
  /** The first broker's URL, with the password masked. */
  readonly address: string
  readonly #options: ConnectionOptions
  readonly #clock: Clock
  readonly #failover: Failover
  /** What was delivered stays ours from one connection of the driver to the next, where the broker knows sessions. */
  readonly #session = randomUUID()
  readonly #closing = new AbortController()
  #current: Promise<BrokerConnection> | undefined
  /** What `#current` has come to. */
  #live: BrokerConnection | undefined

  /** @throws InvalidBrokerUrlError where one of the URLs cannot be read; RangeError for an unknown failover strategy. */
  constructor(options: ConnectionOptions) {
    const addresses = options.urls.map((url) => parseBrokerUrl(url))
    const [first] = addresses
    if (first === undefined) throw new RangeError('a connection needs at least one broker URL')
    this.address = first.toString()
    this.#options = options
    this.#clock = options.clock ?? systemClock
    const servers = addresses.flatMap((address) => [address, ...address.alternates])
    this.#failover = new Failover(servers, options.failoverStrategy ?? 'round-robin')
  }

  /** The brokers there are. Show no password when printed. */
  get servers(): readonly BrokerAddress[] {
    return this.#failover.servers
  }

  /** The broker that is used, or the one that is tried next. */
  get server(): BrokerAddress {
    return this.#failover.current
  }

  /** The driver's connection, while there is one that nobody has found failed. */
  get live(): BrokerConnection | undefined {
    return this.#live
  }

  /** Milliseconds a delivery stays ours without renewal. */
  get leaseMs(): number {
    return this.#options.open?.leaseMs ?? 30_000
  }

  get #closeTimeoutMs(): number {
    return this.#options.closeTimeoutMs ?? 5_000
  }

  /** Another connection to the same brokers, of its own. The caller closes it. */
  clone(changes: Partial<ConnectionOptions> = {}): Connection {
    return new Connection({ ...this.#options, ...changes })
  }

  /**
   * The live connection; opens one if there is none, trying each broker once.
   * @throws ConnectionLostError where none of the brokers can be reached.
   */
  async broker(options?: AbortableOptions): Promise<BrokerConnection> {
    if (this.#closing.signal.aborted) throw new ConnectionClosedError(this.address)
    // Opened for everyone who asks: who gives up neither ends it for the others nor has to wait with them.
    this.#current ??= this.#open()
    return abortable(this.#current, options?.signal)
  }

  /** As `broker`, but goes on trying, less and less often (at most every 1.5 s), until it succeeds or `signal` aborts. */
  async untilBroker(options?: AbortableOptions): Promise<BrokerConnection> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.broker(options)
      } catch (error) {
        options?.signal?.throwIfAborted()
        if (!isTemporary(error)) throw error
        const retryInMs = retryPauseMs(attempt - 1)
        this.#options.onError?.(error, { attempt, retryInMs })
        using ended = anySignal(options?.signal, this.#closing.signal)
        await sleep(retryInMs, { signal: ended.signal, clock: this.#clock })
      }
    }
  }

  /**
   * Runs something on the live connection, and again where that was lost or the broker was busy: kombu's `ensure` and
   * `autoretry`. It may have taken effect when it is run again, so it must be harmless to repeat. A try that hangs is not
   * ended by this: hand `options.signal` on.
   */
  async ensure<T>(run: (broker: BrokerConnection) => Promise<T>, options: EnsureOptions = {}): Promise<T> {
    using ended = anySignal(options.signal, this.#closing.signal)
    const { signal } = ended
    return await retry(
      async () => {
        const broker = await this.broker({ signal })
        try {
          return await run(broker)
        } catch (error) {
          throw await this.failed(broker, error, { signal })
        }
      },
      {
        policy: options.retryPolicy ?? growingPauses(),
        retryOn: isTemporary,
        onRetry: ({ error, retries, delayMs }) =>
          this.#options.onError?.(error, { attempt: retries + 1, retryInMs: delayMs }),
        signal,
        clock: this.#clock,
      },
    )
  }

  /**
   * Gives up a connection on which something failed; the next `broker()` opens a new one. Resolves when it has closed, when
   * its time for that is over, or when `signal` aborts. Never rejects.
   */
  async discard(broker: BrokerConnection, options: AbortableOptions = {}): Promise<void> {
    if (this.#live !== broker) return
    this.#live = undefined
    this.#current = undefined
    const { signal } = options
    // It failed already: that it cannot even close tells nothing new.
    const closed = this.#closeDriver(broker, { sessionGoesOn: true }).catch((error: unknown) =>
      this.#options.onError?.(error, { attempt: 0, retryInMs: undefined }),
    )
    await (signal === undefined ? closed : abortable(closed, signal).catch(unlessAborted(signal)))
  }

  /**
   * What an `error` of `broker` means to whoever used it. Where the connection was lost it is discarded; one that somebody else
   * has discarded meanwhile counts as lost too, unless this whole connection was closed by its owner.
   */
  async failed(broker: BrokerConnection, error: unknown, options: AbortableOptions = {}): Promise<unknown> {
    const isDiscarded = isConnectionClosed(error) && !this.#closing.signal.aborted
    if (isDiscarded || isConnectionLost(error)) await this.discard(broker, options)
    return isDiscarded ? new ConnectionLostError(this.address, { cause: error }) : error
  }

  /**
   * Ends the connection and everyone who waits for it. Safe twice.
   * @throws CloseTimeoutError where the driver does not come to an end of it.
   */
  async close(): Promise<void> {
    this.#closing.abort(new ConnectionClosedError(this.address))
    const current = this.#current
    this.#current = undefined
    this.#live = undefined
    if (current === undefined) return
    // One that could not be opened has told whoever asked for it; one that opens too late is closed when it does.
    const broker = await withDeadline(current, this.#closeTimeoutMs, () => new Error('too late')).catch(() => undefined)
    if (broker !== undefined) await this.#closeDriver(broker)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** By the machine's own time: how long a driver takes is no part of what a test's clock measures. */
  #closeDriver(broker: BrokerConnection, options?: CloseOptions): Promise<void> {
    const timeoutMs = this.#closeTimeoutMs
    return withDeadline(broker.close(options), timeoutMs, () => new CloseTimeoutError(this.address, timeoutMs))
  }

  async #open(): Promise<BrokerConnection> {
    try {
      this.#live = await this.#openFirst(this.#closing.signal)
      return this.#live
    } catch (error) {
      this.#current = undefined
      throw error
    }
  }

  async #openFirst(signal: AbortSignal): Promise<BrokerConnection> {
    const failures: unknown[] = []
    for (let tries = 0; tries < this.#failover.servers.length; tries++) {
      try {
        const { current } = this.#failover
        const broker = await this.#openAddress(current, { ...this.#options.open, session: this.#session, signal })
        if (!signal.aborted) return broker
        await this.#closeDriver(broker)
        throw signal.reason
      } catch (error) {
        if (!isTemporary(error)) throw error
        failures.push(error)
        this.#failover.advance()
      }
    }
    throw failures[0]
  }

  async #openAddress(address: BrokerAddress, options: OpenOptions): Promise<BrokerConnection> {
    const opening = this.#options.transports.openAddress(address, options)
    const { openTimeoutMs } = this.#options
    try {
      return await answered('opening', opening, { address: address.toString(), timeoutMs: openTimeoutMs })
    } catch (error) {
      // One that opens after all is nobody's. What fails is told already.
      opening.then((late) => this.#closeDriver(late, { sessionGoesOn: true })).catch(() => {})
      throw error
    }
  }
}

/** Seconds, for ever. */
function* growingPauses(): Iterable<number> {
  for (let retries = 0; ; retries++) yield retryPauseMs(retries) / 1_000
}
