/** Milliseconds without trouble after which it counts as over: on another connection, and on the one that had failed. */
const quietMs = { another: 1_000, same: 10_000 } as const

/** What a worker knows of its consuming without asking anyone. Times are on a monotonic clock, in milliseconds. */
export class ConsumingWatch {
  /** Times that consuming was broken off by an error. */
  losses = 0
  /** Batches of messages taken. */
  batches = 0
  /** When the last one was taken; `undefined` before the first. */
  takenAt: number | undefined
  readonly #now: () => number
  /** Since when it consumes without a break. */
  #consumingSince: number | undefined
  #quietMs: number = quietMs.another
  /** What broke it off, until that is known to be over. */
  #trouble: { readonly since: number; message: string } | undefined

  /** @param now milliseconds on a monotonic clock */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Begins, maybe again. @param isAnother on another connection than before */
  consuming(isAnother: boolean): void {
    this.#consumingSince = this.#now()
    // Before the first loss, all that can have failed is the opening of earlier connections.
    this.#quietMs = isAnother || this.losses === 0 ? quietMs.another : quietMs.same
  }

  /** Messages came. */
  taken(): void {
    this.batches++
    this.takenAt = this.#now()
    // Whatever was heard before: this is consuming.
    this.#consumingSince ??= this.takenAt
    this.#trouble = undefined
  }

  /** Something ended the consuming; it is tried again. */
  failed(message: string): void {
    this.losses++
    this.#consumingSince = undefined
    this.#trouble ??= { since: this.#now(), message }
    this.#trouble.message = message
  }

  /** A connection cannot be opened, or not be closed: of interest while nothing is consumed. */
  connectionFailed(message: string): void {
    if (this.#consumingSince !== undefined) return
    this.#trouble ??= { since: this.#now(), message }
    this.#trouble.message = message
  }

  /** Milliseconds for which nothing came though it was asked for; 0 while nothing is asked for. */
  get idleMs(): number {
    const since = this.#consumingSince
    return since === undefined ? 0 : this.#now() - Math.max(since, this.takenAt ?? since)
  }

  /** What went wrong last, until it is known to be over. */
  get trouble(): string | undefined {
    return this.#trouble?.message
  }

  /** Why nothing is consumed; `undefined` where nothing is wrong, as far as is known. */
  problem(): string | undefined {
    const since = this.#consumingSince
    // A busy broker keeps its connection and fails on it again and again: one more try is no recovery.
    if (since !== undefined && this.#now() - since >= this.#quietMs) this.#trouble = undefined
    if (since !== undefined && this.#trouble === undefined) return undefined
    if (this.#trouble === undefined) return 'nothing is consumed'
    const seconds = Math.round((this.#now() - this.#trouble.since) / 1_000)
    return `nothing is consumed for ${seconds} s: ${this.#trouble.message}`
  }
}
