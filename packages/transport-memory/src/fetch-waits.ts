import { deferred, onAbort } from '@celery/promises'
import type { Delivery } from '@celery/transport'
import type { MemoryStore } from './memory-store.ts'

/** The fetches of one connection that found nothing and wait. */
export class FetchWaits {
  readonly #store: MemoryStore
  readonly #now: () => number
  readonly #failures = new Set<(error: unknown) => void>()

  constructor(store: MemoryStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /**
   * Waits until `take` finds something, which a message can bring about, a time that comes or a lease that ends.
   * Rejects with the reason of `signal`; nothing was taken then.
   */
  wait(names: readonly string[], signal: AbortSignal, take: () => readonly Delivery[]): Promise<readonly Delivery[]> {
    const { promise, resolve, reject } = deferred<readonly Delivery[]>()
    let timer: NodeJS.Timeout | undefined
    const attempt = (): void => {
      clearTimeout(timer)
      const deliveries = take()
      if (deliveries.length === 0) {
        timer = this.#startTimer(names, attempt)
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
      clearTimeout(timer)
      ignoreMessages()
      ignoreAbort()
      this.#failures.delete(fail)
    }
    this.#failures.add(fail)
    timer = this.#startTimer(names, attempt)
    return promise
  }

  failAll(error: Error): void {
    for (const fail of this.#failures) fail(error)
  }

  /** Runs `attempt` when time alone may have brought something into one of the queues; never, where it cannot. */
  #startTimer(names: readonly string[], attempt: () => void): NodeJS.Timeout | undefined {
    let nextMs = Number.POSITIVE_INFINITY
    for (const name of names) nextMs = Math.min(nextMs, this.#store.queue(name)?.nextChangeMs ?? nextMs)
    if (nextMs === Number.POSITIVE_INFINITY) return undefined
    return setTimeout(attempt, Math.min(Math.max(nextMs - this.#now(), 1), longestTimerMs))
  }
}

/** What Node's timers take; longer ones would fire at once. */
const longestTimerMs = 2 ** 31 - 1
