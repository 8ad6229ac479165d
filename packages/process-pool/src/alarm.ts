import type { Clock } from '@celery/promises'

/** One timer for many deadlines: it rings at the earliest of those it was set to, then must be set again. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #at: number = Number.POSITIVE_INFINITY
  #cancel: (() => void) | undefined

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** @param at monotonic milliseconds. */
  set(at: number, now: number): void {
    if (at >= this.#at) return
    this.#cancel?.()
    this.#at = at
    this.#cancel = this.#clock.schedule(Math.max(1, at - now), () => this.#onTimer(), { unref: true })
  }

  clear(): void {
    this.#cancel?.()
    this.#at = Number.POSITIVE_INFINITY
  }

  #onTimer(): void {
    this.#at = Number.POSITIVE_INFINITY
    // Timers run before input is read. If this process was itself blocked, what the children wrote in the meantime has
    // to be heard before they are judged.
    setImmediate(this.#ring)
  }
}
