import { type Clock, systemClock } from './clock.ts'

/** How a {@link TokenBucket} fills. */
export interface TokenBucketOptions {
  /** Tokens that come in per second, above 0. `parseRate('10/m')` makes one from Celery's rate strings. */
  readonly fillRate: number
  /** Tokens that it holds at most, and at the start. With 1, uses are spread evenly. @defaultValue `1` */
  readonly capacity?: number | undefined
  /** Whose time fills it. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

/** Less than any caller means by a token, more than the rounding error of filling. */
const TOLERANCE = 1e-9

/** Allows so many uses per second, with bursts up to its capacity, as kombu's `TokenBucket`. */
export class TokenBucket {
  readonly fillRate: number
  readonly capacity: number
  readonly #clock: Clock
  #tokens: number
  #filledAtMs: number

  /** @throws RangeError if `fillRate` or `capacity` is not a number above 0. */
  constructor(options: TokenBucketOptions) {
    this.fillRate = aboveZero('fillRate', options.fillRate)
    this.capacity = aboveZero('capacity', options.capacity ?? 1)
    this.#clock = options.clock ?? systemClock
    this.#tokens = this.capacity
    this.#filledAtMs = this.#clock.monotonic()
  }

  /** Tokens in the bucket now. */
  get tokens(): number {
    const nowMs = this.#clock.monotonic()
    // Stamped even while full: kombu does not, so that its bucket refills for the time it stood full.
    this.#tokens = Math.min(this.capacity, this.#tokens + (this.fillRate * (nowMs - this.#filledAtMs)) / 1000)
    this.#filledAtMs = nowMs
    return this.#tokens
  }

  /** Takes `count` tokens and returns true, or takes none and returns false if there are fewer. */
  canConsume(count = 1): boolean {
    if (this.tokens < count - TOLERANCE) return false
    this.#tokens = Math.max(0, this.#tokens - count)
    return true
  }

  /** Seconds until `count` tokens are there if nobody takes any: 0 when they are, `Infinity` beyond the capacity. */
  expectedTime(count = 1): number {
    if (count > this.capacity) return Number.POSITIVE_INFINITY
    const missing = count - this.tokens
    return missing <= TOLERANCE ? 0 : missing / this.fillRate
  }
}

function aboveZero(name: string, value: number): number {
  if (value > 0) return value
  throw new RangeError(`${name} of a token bucket must be above 0, got ${value}`)
}
