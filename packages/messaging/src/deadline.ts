import { onAbort } from '@celery/promises'

/**
 * Ends what takes too long, one thing after the other. Its timer and its signal serve for all of them until one is too late:
 * to make them anew each time would cost more than all else that a publish does here.
 */
export class Deadline {
  readonly #makeReason: () => Error
  #controller = new AbortController()
  #timer: NodeJS.Timeout | undefined
  /** When the timer goes off, on the monotonic clock. */
  #timerAt = 0
  /** When what is under way is too late; never, where nothing is. */
  #at = Number.POSITIVE_INFINITY

  /** @param makeReason - Of the signal; called only where something is too late. */
  constructor(makeReason: () => Error) {
    this.#makeReason = makeReason
    keepListener(this.#controller.signal)
  }

  /** A signal for what begins now, which aborts at `at` on the monotonic clock unless that has ended before. */
  begin(at: number): AbortSignal {
    this.#at = at
    if (this.#controller.signal.aborted) {
      this.#controller = new AbortController()
      keepListener(this.#controller.signal)
    }
    if (at === Number.POSITIVE_INFINITY) return this.#controller.signal
    if (this.#timer === undefined || at < this.#timerAt) this.#arm(at)
    else this.#timer.ref()
    return this.#controller.signal
  }

  end(): void {
    this.#at = Number.POSITIVE_INFINITY
    // Left to go off for nothing, or for what begins before.
    this.#timer?.unref()
  }

  /** Leaves no timer behind: nothing begins any more. */
  stop(): void {
    this.end()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm(at: number): void {
    clearTimeout(this.#timer)
    this.#timerAt = at
    const restMs = Math.max(0, Math.ceil(at - performance.now()))
    this.#timer = setTimeout(() => this.#goOff(), Math.min(restMs, longestTimerMs))
  }

  #goOff(): void {
    this.#timer = undefined
    if (this.#at === Number.POSITIVE_INFINITY) return
    // A timer of Node's can fire up to a millisecond before its time.
    if (this.#at - performance.now() > 1) this.#arm(this.#at)
    else this.#controller.abort(this.#makeReason())
  }
}

/** Node takes a longer time for 1 ms. */
const longestTimerMs = 2 ** 31 - 1

/** The first listener of a signal is costly to add and to remove, others of `onAbort` are not: so one stays. */
function keepListener(signal: AbortSignal): void {
  onAbort(signal, () => {})
}
