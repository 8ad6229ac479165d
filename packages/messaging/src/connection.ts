import { type AbortableOptions, abortable, anySignal, type Clock, sleep, systemClock } from '@celery/promises'
import { type BrokerConnection, ConnectionClosedError, type OpenOptions, parseBrokerUrl } from '@celery/transport'
import { retryPauseMs } from './retry-pause.ts'
import { isTemporary } from './temporary-errors.ts'
import type { TransportRegistry } from './transport-registry.ts'

export interface ConnectionOptions {
  /** Broker URLs; where one cannot be reached the next one is tried. */
  readonly urls: readonly string[]
  readonly transports: TransportRegistry
  /** Handed to the driver. */
  readonly open?: OpenOptions
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

/**
 * One supervised connection to a broker. At most one connection of the driver is alive at a time; a failed one is
 * discarded whole and replaced. Drivers never reconnect by themselves.
 */
export class Connection implements AsyncDisposable {
  /** The first broker's URL, with the password masked. */
  readonly address: string
  readonly #options: ConnectionOptions
  readonly #clock: Clock
  readonly #closing = new AbortController()
  #current: Promise<BrokerConnection> | undefined
  /** What `#current` has come to. */
  #live: BrokerConnection | undefined

  /** @throws InvalidBrokerUrlError where the first of the URLs cannot be read. */
  constructor(options: ConnectionOptions) {
    const [first] = options.urls
    if (first === undefined) throw new RangeError('a connection needs at least one broker URL')
    this.address = parseBrokerUrl(first).toString()
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /**
   * The live connection; opens one if there is none, trying each URL once.
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

  /** Gives up a connection on which something failed; the next `broker()` opens a new one. */
  async discard(broker: BrokerConnection): Promise<void> {
    if (this.#live !== broker) return
    this.#live = undefined
    this.#current = undefined
    // It failed already: that it cannot even close tells nothing new.
    await broker.close().catch((error: unknown) => this.#options.onError?.(error, { attempt: 0, retryInMs: undefined }))
  }

  /** Ends the connection and everyone who waits for it. Safe twice. */
  async close(): Promise<void> {
    this.#closing.abort(new ConnectionClosedError(this.address))
    const current = this.#current
    this.#current = undefined
    this.#live = undefined
    const broker = await current?.catch(() => undefined)
    await broker?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
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
    for (const url of this.#options.urls) {
      try {
        const broker = await this.#options.transports.open(url, { ...this.#options.open, signal })
        if (!signal.aborted) return broker
        await broker.close()
        throw signal.reason
      } catch (error) {
        if (!isTemporary(error)) throw error
        failures.push(error)
      }
    }
    throw failures[0]
  }
}
