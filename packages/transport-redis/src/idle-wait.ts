import { type AbortableOptions, CeleryError, onAbort } from '@celery/promises'
import type { RedisClient } from '@celery/redis'
import { replyNumber } from './reply.ts'

/** What the server was asked about keys that it is to follow. */
export interface Look {
  /** How many of them there were; `undefined` where it does not follow them. */
  readonly found: Promise<number | undefined>
  /** Of the times that something had changed by then. */
  readonly count: number
}

interface UntilOptions extends AbortableOptions {
  readonly look?: Look | undefined
}

/**
 * Waits until there may be something in a list. Takes nothing: the server is asked to say when a key changes that was
 * found missing. Where it does not do that, for want of rights or behind a proxy, the wait ends after a pause that grows.
 */
export class IdleWait {
  readonly #client: RedisClient
  readonly #longestPollMs: number
  readonly #waiters = new Set<() => void>()
  #tracking: Promise<boolean> | undefined
  #isTracking = false
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
   * Begins a wait for keys that are probably missing, so that it leaves in one write with whatever was sent before in this
   * turn of the event loop. `undefined` where that cannot be; `until` then looks by itself.
   */
  look(keys: readonly string[]): Look | undefined {
    if (!this.#isTracking) return undefined
    const found = this.#exist(keys)
    // Whoever does not wait in the end need not know; the connection tells all others.
    found.catch(() => {})
    return { found, count: this.#count }
  }

  /**
   * Resolves when one of the keys has appeared or changed, and at the latest after `timeoutMs`, or a second. Where they
   * were looked at, since that look.
   * Rejects with the reason of the signal when that aborts.
   */
  async until(keys: readonly string[], timeoutMs: number, { signal, look }: UntilOptions): Promise<void> {
    const count = look?.count ?? this.#count
    this.#tracking ??= this.#track()
    if (await this.#tracking) {
      const found = await (look?.found ?? this.#exist(keys))
      if (found === undefined) {
        this.#isTracking = false
        this.#tracking = Promise.resolve(false)
      } else if (found > 0) return
    }
    if (this.#count !== count) return
    const isTracking = this.#isTracking
    const pollMs = isTracking ? longestWaitMs : Math.min(this.#pollMs, this.#longestPollMs)
    if (!isTracking) this.#pollMs = Math.min(this.#pollMs * 1.5, this.#longestPollMs)
    await this.#sleep(Math.min(timeoutMs, pollMs), signal)
  }

  /**
   * How many of them there are; `undefined` where the server, which let itself be asked to follow keys, refuses to be told
   * which. It follows what this reads, and nothing that other commands read.
   */
  async #exist(keys: readonly string[]): Promise<number | undefined> {
    const [caching, found] = await this.#client.pipeline([
      ['CLIENT', 'CACHING', 'YES'],
      ['EXISTS', ...keys],
    ])
    if (isRefusal(caching)) return undefined
    if (caching instanceof Error) throw caching
    if (found instanceof Error) throw found
    return replyNumber(found)
  }

  async #track(): Promise<boolean> {
    try {
      await this.#client.send('CLIENT', 'TRACKING', 'ON', 'OPTIN')
    } catch (error) {
      if (isRefusal(error)) return false
      throw error
    }
    this.#client.onInvalidation(() => this.wake())
    this.#isTracking = true
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

/** For want of rights, or because it does not know the command. */
function isRefusal(error: unknown): boolean {
  return CeleryError.is(error, 'ERR_CELERY_REDIS_REFUSED') || CeleryError.is(error, 'ERR_CELERY_REDIS_REPLY')
}

const shortestPollMs = 100
/** The server forgets to say nothing, but parked messages and ended leases come without a word. */
const longestWaitMs = 1_000
