/** How often to try to empty a log that somebody who reads an old state keeps from being emptied. */
export class StuckLog {
  readonly #now: () => number
  #pauseMs = 0
  #againMs = 0

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  mayTry(): boolean {
    return this.#pauseMs === 0 || this.#now() >= this.#againMs
  }

  tried(emptied: boolean): void {
    this.#pauseMs = emptied ? 0 : Math.min(longestPauseMs, 2 * this.#pauseMs || firstPauseMs)
    this.#againMs = this.#now() + this.#pauseMs
  }
}

/** Milliseconds. */
const firstPauseMs = 1_000
const longestPauseMs = 60_000
