import { type Deferred, deferred } from '@celery/promises'

/** Wakes whoever waits for something to happen at the broker or the store. */
export class Activity {
  #next: Deferred<void> = deferred()

  /** Resolves when something happens. Taken before one looks, so that nothing is missed in between. */
  get next(): Promise<void> {
    return this.#next.promise
  }

  happened(): void {
    const current = this.#next
    this.#next = deferred()
    current.resolve()
  }
}
