import { type Clock, deferred, onAbort } from '@celery/promises'
import type { Delivery } from '@celery/transport'
import type { MemoryStore } from './memory-store.ts'

export interface FetchTimes {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly clock: Clock
}

/** The fetches of one connection that found nothing and wait. */
export class FetchWaits {
  readonly #store: MemoryStore
  readonly #times: FetchTimes
  readonly #failures = new Set<(error: unknown) => void>()

  constructor(store: MemoryStore, times: FetchTimes) {
    this.#store = store
    this.#times = times
  }

  /**
   * Waits until `take` finds something, which a message can bring about, a time that comes or a lease that ends.
   * Rejects with the reason of `signal`; nothing was taken then.
   */
  wait(names: readonly string[], signal: AbortSignal, take: () => readonly Delivery[]): Promise<readonly Delivery[]> {
    const { promise, resolve, reject } = deferred<readonly Delivery[]>()
    let cancelTimer: (() => void) | undefined
    const attempt = (): void => {
      cancelTimer?.()
      const deliveries = take()
      if (deliveries.length === 0) {
        cancelTimer = this.#startTimer(names, attempt)
      } else {
        stop()
        resolve(deliveries)
      }
    }
    const fail = (error: unknown): void => {
      stop()
      reject(error)
    }
    const ignoreMessages = this.#store.wait(names, attempt)
    const ignoreAbort = onAbort(signal, () => fail(signal.reason))
    const stop = (): void => {
      cancelTimer?.()
      ignoreMessages()
      ignoreAbort()
      this.#failures.delete(fail)
    }
    this.#failures.add(fail)
    cancelTimer = this.#startTimer(names, attempt)
    return promise
  }

  failAll(error: Error): void {
    for (const fail of this.#failures) fail(error)
  }

  /** Runs `attempt` when time alone may have brought something into one of the queues; never, where it cannot. */
  #startTimer(names: readonly string[], attempt: () => void): (() => void) | undefined {
    let nextMs = Number.POSITIVE_INFINITY
    for (const name of names) nextMs = Math.min(nextMs, this.#store.queue(name)?.nextChangeMs ?? nextMs)
    if (nextMs === Number.POSITIVE_INFINITY) return undefined
    const { clock, now } = this.#times
    return clock.schedule(Math.max(nextMs - now(), 1), attempt)
  }
}
