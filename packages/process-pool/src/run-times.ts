/** How long jobs of one kind take, from those seen so far. */
export interface RunTime {
  /** Expected milliseconds. Large while none was seen. */
  expectedMs: number
}

/** Large enough that nothing is sent ahead behind a job nobody knows. */
const UNKNOWN_MS = 60_000
/** Kinds come from the owner's data; further ones share one estimate. */
const MAX_KINDS = 10_000

/** Learns run times by kind of job: quick to believe that a kind is slow, slow to believe that it is quick again. */
export class RunTimes {
  readonly #byKind = new Map<string, RunTime>()
  readonly #other: RunTime = { expectedMs: UNKNOWN_MS }

  of(kind: string | undefined): RunTime {
    if (kind === undefined) return this.#other
    const known = this.#byKind.get(kind)
    if (known !== undefined) return known
    if (this.#byKind.size >= MAX_KINDS) return this.#other
    const fresh = { expectedMs: UNKNOWN_MS }
    this.#byKind.set(kind, fresh)
    return fresh
  }

  static learn(runTime: RunTime, tookMs: number): void {
    const difference = tookMs - runTime.expectedMs
    if (runTime.expectedMs === UNKNOWN_MS) runTime.expectedMs = tookMs
    else runTime.expectedMs += difference * (difference > 0 ? 0.5 : 0.1)
  }
}
