/** Milliseconds between two reports of what goes on failing, and after which a failure counts as a new one. */
const reportEveryMs = 30_000
/** Reports before that. */
const atOnce = 5

interface Seen {
  count: number
  reportedAt: number
  lastAt: number
}

/** Keeps a failure that repeats itself several times a second from filling the log: some at once, then one per 30 s. */
export class RepeatedMessages {
  readonly #seen = new Map<string, Seen>()
  readonly #now: () => number

  /** @param now milliseconds on a monotonic clock. @defaultValue `performance.now` */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Whether to report this message now. */
  isDue(message: string): boolean {
    const now = this.#now()
    for (const [text, { lastAt }] of this.#seen) if (now - lastAt >= reportEveryMs) this.#seen.delete(text)
    const seen = this.#seen.get(message)
    if (seen === undefined) {
      this.#seen.set(message, { count: 1, reportedAt: now, lastAt: now })
      return true
    }
    seen.lastAt = now
    seen.count++
    if (seen.count > atOnce && now - seen.reportedAt < reportEveryMs) return false
    seen.reportedAt = now
    return true
  }
}
