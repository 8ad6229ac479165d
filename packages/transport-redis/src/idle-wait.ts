import { type AbortableOptions, CeleryError, onAbort } from '@celery/promises'
import type { RedisClient } from '@celery/redis'
import { replyNumber } from './reply.ts'

/**
 * Waits until there may be something in a list. Takes nothing: the server is asked to say when a key changes that was
 * found missing. Where it does not do that, for want of rights or behind a proxy, the wait ends after a pause that grows.
 */
export class IdleWait {
  readonly #client: RedisClient
  readonly #longestPollMs: number
  readonly #waiters = new Set<() => void>()
  #tracking: Promise<boolean> | undefined
  #count = 0
  #pollMs = shortestPollMs

  constructor(client: RedisClient, longestPollMs: number) {
    this.#client = client
    this.#longestPollMs = longestPollMs
  }

  /** Something has come, so that the next wait may be over soon. */
  found(): void {
    this.#pollMs = shortestPollMs
  }

  /** Ends all waits. */
  wake(): void {
    this.#count++
    for (const wake of [...this.#waiters]) wake()
  }

  /**
   * Resolves when one of the keys has appeared or changed, and at the latest after `timeoutMs`, or a second.
   * Rejects with the reason of the signal when that aborts.
   */
  async until(keys: readonly string[], timeoutMs: number, { signal }: AbortableOptions): Promise<void> {
    const count = this.#count
    this.#tracking ??= this.#track()
    const isTracking = await this.#tracking
    if (isTracking && (await this.#look(keys)) > 0) return
    if (this.#count !== count) return
    const pollMs = isTracking ? longestWaitMs : Math.min(this.#pollMs, this.#longestPollMs)
    if (!isTracking) this.#pollMs = Math.min(this.#pollMs * 1.5, this.#longestPollMs)
    await this.#sleep(Math.min(timeoutMs, pollMs), signal)
  }

  /** How many of them there are. The server follows what this reads, and nothing that other commands read. */
  async #look(keys: readonly string[]): Promise<number> {
    const [caching, found] = await this.#client.pipeline([
      ['CLIENT', 'CACHING', 'YES'],
      ['EXISTS', ...keys],
    ])
    if (caching instanceof Error) throw caching
    if (found instanceof Error) throw found
    return replyNumber(found)
  }

  async #track(): Promise<boolean> {
    try {
      await this.#client.send('CLIENT', 'TRACKING', 'ON', 'OPTIN')
    } catch (error) {
      if (CeleryError.is(error, 'ERR_CELERY_REDIS_REFUSED') || CeleryError.is(error, 'ERR_CELERY_REDIS_REPLY')) {
        return false
      }
      throw error
    }
    this.#client.onInvalidation(() => this.wake())
    return true
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason)
        return
      }
      const settle = (): void => {
        clearTimeout(timer)
        forget?.()
        this.#waiters.delete(wake)
      }
      const wake = (): void => {
        settle()
        resolve()
      }
      // Keeps its process alive: a fetch that waits is something to live for.
      const timer = setTimeout(wake, ms)
      const forget =
        signal === undefined
          ? undefined
          : onAbort(signal, () => {
              settle()
              reject(signal.reason)
            })
      this.#waiters.add(wake)
    })
  }
}

const shortestPollMs = 100
/** The server forgets to say nothing, but parked messages and ended leases come without a word. */
const longestWaitMs = 1_000
