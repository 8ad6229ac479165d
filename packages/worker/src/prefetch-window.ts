export interface PrefetchWindowOptions {
  /** Messages held at least: prefetch multiplier × concurrency. */
  readonly base: number
  /** Slots of the pool. */
  readonly concurrency: number
  /** Milliseconds of work, at the pace of late, for which more than `base` may be held; 0 for never. */
  readonly aheadMs: number
  /** Milliseconds on a monotonic clock. @defaultValue `performance.now` */
  readonly now?: () => number
}

/** More than this ahead brings no more speed. */
const most = 1_000
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
  readonly #now: () => number
  /** Tasks per millisecond. */
  #pace = 0
  #ended = 0
  #since: number

  constructor(options: PrefetchWindowOptions) {
    this.base = options.base
    this.#concurrency = options.concurrency
    this.#aheadMs = options.aheadMs
    this.#now = options.now ?? (() => performance.now())
    this.#since = this.#now()
  }

  /** A task has ended. */
  ended(): void {
    this.#ended++
  }

  /** Messages that may be held now. */
  get size(): number {
    if (this.#aheadMs === 0) return this.base
    this.#measure()
    return Math.max(this.base, Math.min(most, Math.floor(this.#pace * this.#aheadMs)))
  }

  /**
   * How many more to fetch when `held` are there. While every slot is busy it waits for room for a quarter of the
   * window, because a message costs little in a batch and much alone.
   */
  room(held: number): number {
    const { size } = this
    const room = size - held
    return held < this.#concurrency || room * 4 >= size ? room : 0
  }

  /** Whether far more is held than will be done in a moment: what was short has become long. */
  isOverfull(held: number): boolean {
    return held > 2 * this.size
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
