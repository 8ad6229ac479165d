import { type Clock, sleep, systemClock, unlessAborted } from '@celery/promises'
import { retryPauseMs } from './retry-pause.ts'

/** Milliseconds before the end of the grace when the last attempt begins, so that it has time to succeed. */
const lastAttemptMs = 100

/**
 * When something that failed is tried again: less and less often (at most every 1.5 s), for as long as it takes, until
 * its owner is in a hurry to close. Then it is tried at once and every 0.1 s, for as long as the owner's grace lasts.
 */
export class Attempts {
  readonly #clock: Clock
  /** Each of the three also ends the pauses that are made before it. */
  readonly #hurry = new AbortController()
  readonly #last = new AbortController()
  readonly #end = new AbortController()
  #timers: (() => void)[] = []

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /**
   * Gives, for each attempt to make, the signal that aborts when its time is over; ends when there is no further one.
   * Whoever succeeds leaves the loop.
   */
  async *each(): AsyncGenerator<AbortSignal, void, void> {
    for (let retries = 0; !this.#end.signal.aborted; retries++) {
      const isLast = this.#last.signal.aborted
      yield this.#end.signal
      if (isLast) return
      await this.#pause(retries)
    }
  }

  /** From now on pauses are short, and after `graceMs` attempts end. The shortest grace counts. */
  hurry(graceMs: number): void {
    this.#hurry.abort(inHurry)
    if (this.#end.signal.aborted) return
    this.#timers.push(
      this.#clock.schedule(graceMs - lastAttemptMs, () => this.#last.abort(inHurry)),
      this.#clock.schedule(graceMs, () => this.end()),
    )
  }

  /** Ends the attempt under way, and makes none any more. Safe twice. */
  end(): void {
    for (const cancel of this.#timers.splice(0)) cancel()
    this.#hurry.abort(inHurry)
    this.#last.abort(inHurry)
    this.#end.abort(ended)
  }

  async #pause(retries: number): Promise<void> {
    const isHurried = this.#hurry.signal.aborted
    const { signal } = isHurried ? this.#last : this.#hurry
    const pauseMs = retryPauseMs(isHurried ? 0 : retries)
    await sleep(pauseMs, { signal, clock: this.#clock }).catch(unlessAborted(signal))
  }
}

const inHurry = new Error('it is about to be closed')
const ended = new Error('the time for further attempts is over')
