import type { MemoryBudget } from '../memory-budget.ts'
import { localTime } from '../values/local-time.ts'

/** What the library of time zones sets aside for one. */
const CLOCK_BYTES = 64 * 1024

/** The time zones that one pickle names; each is looked up once. */
export class ZoneClocks {
  readonly #budget: MemoryBudget
  readonly #byName = new Map<string, (localMs: number) => number>()

  constructor(budget: MemoryBudget) {
    this.#budget = budget
  }

  /**
   * When a clock there shows this time, both in milliseconds. Python without `fold` takes the first of two as well.
   * @throws RangeError for an unknown zone.
   */
  instantAt(zone: string, shownMs: number): number {
    let clock = this.#byName.get(zone)
    if (clock === undefined) {
      this.#budget.take(CLOCK_BYTES)
      clock = localTime(zone)
      this.#byName.set(zone, clock)
    }
    return clock(shownMs)
  }
}
