import { type AbortableOptions, type Clock, sleep, systemClock } from '@celery/promises'
import { type BrokerConnection, ConnectionClosedError, type OpenOptions, parseBrokerUrl } from '@celery/transport'
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
  readonly #options: ConnectionOptions
  readonly #clock: Clock
  #current: Promise<BrokerConnection> | undefined
  #closed = false

  constructor(options: ConnectionOptions) {
    if (options.urls.length === 0) throw new RangeError('a connection needs at least one broker URL')
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** The first broker's URL, with the password masked. */
  get address(): string {
    return parseBrokerUrl(this.#options.urls[0] ?? '').toString()
  }

  /**
   * The live connection; opens one if there is none, trying each URL once.
   * @throws ConnectionLostError where none of the brokers can be reached.
   */
  async broker(options?: AbortableOptions): Promise<BrokerConnection> {
    if (this.#closed) throw new ConnectionClosedError(this.address)
    this.#current ??= this.#open(options).catch((error: unknown) => {
      this.#current = undefined
      throw error
    })
    return this.#current
  }

  /** As `broker`, but goes on trying, less and less often (at most every 1.5 s), until it succeeds or `signal` aborts. */
  async untilBroker(options?: AbortableOptions): Promise<BrokerConnection> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.broker(options)
      } catch (error) {
        options?.signal?.throwIfAborted()
        if (!isTemporary(error)) throw error
        const retryInMs = Math.min(1_500, 100 * 2 ** Math.min(attempt - 1, 4)) * (0.75 + Math.random() / 4)
        this.#options.onError?.(error, { attempt, retryInMs })
        await sleep(retryInMs, { ...options, clock: this.#clock })
      }
    }
  }

  /** Gives up a connection on which something failed; the next `broker()` opens a new one. */
  async discard(broker: BrokerConnection): Promise<void> {
    const current = this.#current
    if (current === undefined) return
    const open = await current.catch(() => undefined)
    if (open !== broker || this.#current !== current) return
    this.#current = undefined
    // It failed already: that it cannot even close tells nothing new.
    await broker.close().catch((error: unknown) => this.#options.onError?.(error, { attempt: 0, retryInMs: undefined }))
  }

  async close(): Promise<void> {
    this.#closed = true
    const current = this.#current
    this.#current = undefined
    const broker = await current?.catch(() => undefined)
    await broker?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #open(options: AbortableOptions | undefined): Promise<BrokerConnection> {
    const failures: unknown[] = []
    for (const url of this.#options.urls) {
      try {
        const broker = await this.#options.transports.open(url, { ...this.#options.open, ...options })
        if (!this.#closed) return broker
        await broker.close()
        throw new ConnectionClosedError(this.address)
      } catch (error) {
        if (!isTemporary(error)) throw error
        failures.push(error)
      }
    }
    throw failures[0]
  }
}
