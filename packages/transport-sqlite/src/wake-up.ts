import { type AbortableOptions, onAbort } from '@celery/promises'
import { type Database, type DatabaseWatch, watchDatabase } from '@celery/sqlite'

/**
 * Wakes idle fetches: when this connection or another one, here or in another process, has changed the file, when a
 * time comes, or when the connection fails. The file is watched only while somebody waits.
 */
export class WakeUp {
  readonly #database: Database
  readonly #onError: (error: unknown) => void
  readonly #waiters = new Set<Waiter>()
  #watch: DatabaseWatch | undefined
  #count = 0
  #entered = 0

  constructor(database: Database, onError: (error: unknown) => void) {
    this.#database = database
    this.#onError = onError
  }

  /** Counts the calls. Take it before looking for work and hand it to `wait`, so that no call in between is missed. */
  get count(): number {
    return this.#count
  }

  /** Watches the file until `leave`. Enter before looking for work, so that no commit in between is missed. */
  enter(): void {
    this.#entered++
    this.#watch ??= watchDatabase(this.#database, () => this.wake(), { onError: this.#onError })
  }

  leave(): void {
    if (--this.#entered > 0) return
    this.#watch?.close()
    this.#watch = undefined
  }

  wake(): void {
    this.#count++
    for (const waiter of [...this.#waiters]) waiter.finish()
  }

  /** Ends all waits with an error. */
  fail(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.fail(error)
  }

  /** Resolves when something has called `wake` since `count` was taken, or after `timeoutMs`. */
  wait(count: number, options: AbortableOptions & { readonly timeoutMs: number | undefined }): Promise<void> {
    if (count !== this.#count) return Promise.resolve()
    const { signal, timeoutMs } = options
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        ignoreAbort?.()
        this.#waiters.delete(waiter)
      }
      const waiter: Waiter = {
        finish: () => {
          settle()
          resolve()
        },
        fail: (error) => {
          settle()
          reject(error)
        },
      }
      if (signal?.aborted === true) {
        reject(signal.reason)
        return
      }
      // Always, because a fetch that waits keeps its process alive, and a watch alone would not.
      const timer = setTimeout(waiter.finish, timeoutMs ?? hourMs)
      const ignoreAbort = signal === undefined ? undefined : onAbort(signal, () => waiter.fail(signal.reason))
      this.#waiters.add(waiter)
    })
  }
}

const hourMs = 3_600_000

interface Waiter {
  finish(): void
  fail(error: unknown): void
}
