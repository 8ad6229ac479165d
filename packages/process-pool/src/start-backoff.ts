/** Milliseconds before the first and the longest pause after children that failed to start. */
const FIRST_MS = 100
const LONGEST_MS = 5_000
/** Milliseconds after which an old failure no longer makes pauses longer. */
const FORGET_MS = 30_000
/** Milliseconds without a ready child after which a pool is no longer healthy. */
const PATIENCE_MS = 10_000

/**
 * Decides when a child may be started, and whether the pool is healthy.
 *
 * After a failure children start one at a time, at growing intervals, until one has done a job.
 */
export class StartBackoff {
  #failures = 0
  #notBefore: number = Number.NEGATIVE_INFINITY
  #readyChildren = 0
  #noneReadySince: number | undefined

  /** Milliseconds until the next child may be started, given how many are starting now. `Infinity`: after those. */
  delayMs(now: number, starting: number): number {
    if (this.#failures === 0) return 0
    return starting > 0 ? Number.POSITIVE_INFINITY : Math.max(0, this.#notBefore - now)
  }

  failed(now: number): void {
    // Children that fail together fail once.
    if (now < this.#notBefore) return
    if (now - this.#notBefore > FORGET_MS) this.#failures = 0
    this.#notBefore = now + Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#failures)
    this.#failures += 1
  }

  /** A child has done a job: starting children works. */
  succeeded(): void {
    this.#failures = 0
  }

  /** Tells how many children are ready now. One more lets the next one start at once. */
  ready(children: number, now: number): void {
    if (children > this.#readyChildren) this.#notBefore = now
    if (children > 0) this.#noneReadySince = undefined
    else if (this.#readyChildren > 0 || this.#noneReadySince === undefined) this.#noneReadySince = now
    this.#readyChildren = children
  }

  healthy(now: number): boolean {
    return this.#noneReadySince === undefined || now - this.#noneReadySince < PATIENCE_MS
  }
}
