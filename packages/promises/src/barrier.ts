import { CeleryError } from './celery-error.ts'
import { deferred } from './deferred.ts'

/** A part was added to a {@link Barrier} that had been closed. */
export class BarrierClosedError extends CeleryError {
  override readonly name = 'BarrierClosedError'
  readonly code = 'ERR_CELERY_BARRIER_CLOSED'

  constructor() {
    super('the barrier is closed; add every part before closing it')
  }
}

/**
 * Waits for a number of things that need not be known at the start, as vine's `barrier`.
 *
 * Parts are added while it is open. Once it is closed and every part has finished, `done` settles: it resolves if no
 * part failed, rejects with the error of the one that did, or with an `AggregateError` of them all. It never settles
 * while a part is still running; that is the difference to `Promise.all`.
 */
export class Barrier {
  readonly #done = deferred()
  readonly #size: number | undefined
  readonly #errors: unknown[] = []
  #added = 0
  #finished = 0
  #closed = false

  /** With `size`, closes by itself as soon as that many parts were added. */
  constructor(size?: number) {
    this.#size = size
    if (size === 0) this.#close()
  }

  /** Settles once the barrier is closed and every part has finished. */
  get done(): Promise<void> {
    return this.#done.promise
  }

  /** Parts that have not finished. */
  get pending(): number {
    return this.#added - this.#finished
  }

  /** Whether parts may still be added. */
  get open(): boolean {
    return !this.#closed
  }

  /** Adds promises as parts. @throws BarrierClosedError */
  add(...promises: readonly PromiseLike<unknown>[]): this {
    for (const promise of promises) {
      const finish = this.part()
      promise.then(
        () => finish(),
        (error) => finish(error ?? new Error('a part of the barrier was rejected without a reason')),
      )
    }
    return this
  }

  /**
   * Adds a part that finishes when the returned function is called; a value other than `undefined` says that it failed.
   * Only the first call counts. @throws BarrierClosedError
   */
  part(): (error?: unknown) => void {
    if (this.#closed) throw new BarrierClosedError()
    this.#added += 1
    if (this.#added === this.#size) this.#close()
    let finished = false
    return (error) => {
      if (finished) return
      finished = true
      this.#finished += 1
      if (error !== undefined) this.#errors.push(error)
      this.#settleIfDone()
    }
  }

  /** Says that no more parts will come, and returns `done`. Safe twice. */
  close(): Promise<void> {
    this.#close()
    return this.done
  }

  #close(): void {
    this.#closed = true
    this.#settleIfDone()
  }

  #settleIfDone(): void {
    if (!this.#closed || this.#finished < this.#added) return
    if (this.#errors.length === 0) this.#done.resolve()
    else if (this.#errors.length === 1) this.#done.reject(this.#errors[0])
    else this.#done.reject(new AggregateError(this.#errors, `${this.#errors.length} parts of the barrier failed`))
  }
}
