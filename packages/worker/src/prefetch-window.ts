export interface PrefetchWindowOptions {
  /** Messages held at least: prefetch multiplier × concurrency. */
  readonly base: number
  /** Slots of the pool. */
  readonly concurrency: number
  /** Milliseconds of work, at the pace of late, for which more than `base` may be held; 0 for never. */
  readonly aheadMs: number
  /** Fetches half of it at once where it has grown, so that one half comes while the other is done. @defaultValue `false` */
  readonly inHalves?: boolean
  /** Milliseconds on a monotonic clock. @defaultValue `performance.now` */
  readonly now?: () => number
}

/** More than this ahead brings no more speed. */
const most = 500
/** Milliseconds over which the pace is measured. */
const intervalMs = 20

/**
 * How many messages a worker holds. A fixed number is wrong for someone: a round trip to the broker for every four
 * no-ops is slow, and four one-hour tasks in one worker starve the others. So the window holds what the multiplier says
 * and, while tasks are so short that it would be done in a moment, more.
 */
export class PrefetchWindow {
  /** Messages held at least. */
  readonly base: number
  readonly #concurrency: number
  readonly #aheadMs: number
  readonly #inHalves: boolean
  readonly #now: () => number
  /** Tasks per millisecond. */
  #pace = 0
  #ended = 0
  #since: number

  constructor(options: PrefetchWindowOptions) {
    this.base = options.base
    this.#concurrency = options.concurrency
    this.#aheadMs = options.aheadMs
    this.#inHalves = options.inHalves === true
    this.#now = options.now ?? (() => performance.now())
    this.#since = this.#now()
  }

  /** A task has ended. */
  ended(): void {
    this.#ended++
  }

  /** Messages that may be held now, while every slot can be used. */
  get size(): number {
    return this.#sizeWithout(0)
  }

  /**
   * How many more to fetch when `held` are there and `stuck` slots can run nothing. While every other slot is busy it waits
   * for room for a quarter of the window, because a message costs little in a batch and much alone.
   */
  room(held: number, stuck: number = 0): number {
    const size = this.#sizeWithout(stuck)
    const atOnce = this.#inHalves && size > this.base ? Math.ceil(size / 2) : size
    const room = Math.min(size - held, atOnce)
    return held < this.#concurrency - stuck || room * 4 >= size ? room : 0
  }

  /** Whether far more is held than will be done in a moment: what was short has become long, or slots are `stuck`. */
  isOverfull(held: number, stuck: number = 0): boolean {
    return held > 2 * this.#sizeWithout(stuck)
  }

  /** What is held for each slot is held for those only that can be used. */
  #sizeWithout(stuck: number): number {
    const least = stuck === 0 ? this.base : Math.ceil((this.base * (this.#concurrency - stuck)) / this.#concurrency)
    if (this.#aheadMs === 0) return least
    this.#measure()
    return Math.max(least, Math.min(most, Math.floor(this.#pace * this.#aheadMs)))
  }

  #measure(): void {
    const now = this.#now()
    const elapsed = now - this.#since
    if (elapsed < intervalMs) return
    const pace = this.#ended / elapsed
    // Slower counts at once, faster little by little.
    this.#pace = pace < this.#pace ? pace : (this.#pace + pace) / 2
    this.#ended = 0
    this.#since = now
  }
}
