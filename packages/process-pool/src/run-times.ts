/** How long jobs of one kind take, from those seen so far. */
export interface RunTime {
  /** Expected milliseconds. Large while none was seen. */
  expectedMs: number
}

/** Large enough that nothing is sent ahead behind a job nobody knows. */
const UNKNOWN_MS = 60_000
/** Kinds come from the owner's data; further ones share one estimate. */
const MAX_KINDS = 10_000

/** Below this the clock says more about itself. */
const LEAST_MS = 0.001
/** Of the newest job. */
const WEIGHT = 0.2

/**
 * Learns run times by kind of job, as a geometric mean of late: one job that the system let wait for a while does not
 * make its kind a slow one, and a few slow ones in a row do.
 */
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
    const took = Math.max(tookMs, LEAST_MS)
    if (runTime.expectedMs === UNKNOWN_MS) runTime.expectedMs = took
    else runTime.expectedMs *= (took / runTime.expectedMs) ** WEIGHT
  }
}
