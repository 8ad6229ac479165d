import { BackendClosedError, BackendUnavailableError } from '@celery/backend'
import { type AbortableOptions, abortable, anySignal, CeleryError, type RetryPolicy, retry } from '@celery/promises'
import { type RedisClient, withoutAddress } from '@celery/redis'

/**
 * The connection that commands go over. When it fails the next call opens another one, and calls that were under way are
 * repeated, so `work` must be something that may happen twice.
 */
export class RedisLink {
  /** Where it leads, with the password masked. */
  readonly address: string
  readonly #first: RedisClient
  readonly #retryPolicy: RetryPolicy
  readonly #closing = new AbortController()
  readonly #running = new Set<Promise<unknown>>()
  #current: RedisClient | undefined
  #opening: Promise<RedisClient> | undefined

  constructor(client: RedisClient, retryPolicy: RetryPolicy) {
    this.address = client.address
    this.#first = client
    this.#retryPolicy = retryPolicy
    this.#use(client)
  }

  /** @throws BackendUnavailableError when it is still away after the last retry, or full; BackendClosedError */
  async run<T>(work: (client: RedisClient) => Promise<T>, options: AbortableOptions = {}): Promise<T> {
    if (this.#closing.signal.aborted) throw new BackendClosedError()
    const running = this.#attempt(work, options)
    this.#running.add(running)
    try {
      return await abortable(running, options.signal)
    } catch (error) {
      throw asBackendError(this.address, error)
    } finally {
      this.#running.delete(running)
    }
  }

  /** Waits for the answers to what was sent, repeats nothing any more, and ends the connection. Safe twice. */
  async close(): Promise<void> {
    this.#closing.abort(new BackendClosedError())
    await Promise.allSettled(this.#running)
    await this.#opening?.catch(() => undefined)
    await this.#current?.close()
    await this.#first.close()
  }

  async #attempt<T>(work: (client: RedisClient) => Promise<T>, options: AbortableOptions): Promise<T> {
    const client = this.#current
    if (client === undefined) return this.#repeat(work, undefined, options)
    try {
      // Nearly every call ends here, and what a repetition needs would cost it more than the call itself.
      return await work(client)
    } catch (error) {
      if (!isUnavailable(error)) throw error
      return this.#repeat(work, error, options)
    }
  }

  /** @param first - What the first try has met, if there was one. */
  async #repeat<T>(work: (client: RedisClient) => Promise<T>, first: unknown, options: AbortableOptions): Promise<T> {
    using joined = anySignal(options.signal, this.#closing.signal)
    const { signal } = joined
    const attempt = async (retries: number): Promise<T> => {
      if (retries === 0 && first !== undefined) throw first
      return work(this.#current ?? (await this.#open()))
    }
    return await retry(attempt, { policy: this.#retryPolicy, retryOn: isUnavailable, signal })
  }

  /** One attempt for all who wait for it, so the signal of one of them does not end it. */
  #open(): Promise<RedisClient> {
    this.#opening ??= this.#first
      .duplicate({ signal: this.#closing.signal })
      .then((client) => {
        this.#use(client)
        return client
      })
      .finally(() => {
        this.#opening = undefined
      })
    return this.#opening
  }

  #use(client: RedisClient): void {
    this.#current = client
    client.closed.catch(() => {
      if (this.#current === client) this.#current = undefined
    })
  }
}

/** Whether the same call may succeed over another connection. */
export function isUnavailable(error: unknown): error is CeleryError {
  return CeleryError.is(error, 'ERR_CELERY_REDIS_UNAVAILABLE')
}

/** What the layers above know of a store that cannot be used for now. Anything else is passed on as it is. */
export function asBackendError(address: string, error: unknown): unknown {
  if (!isUnavailable(error) && !CeleryError.is(error, 'ERR_CELERY_REDIS_FULL')) return error
  return new BackendUnavailableError(address, withoutAddress(address, error), { cause: error })
}
