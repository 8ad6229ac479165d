import type { FaultKind } from '../ledger.ts'
import { Random } from '../random.ts'

export interface PlannedFault {
  readonly index: number
  readonly kind: FaultKind
  /** It is due when so many tasks have ended. */
  readonly afterTasks: number
}

/** Share of the run before the first fault, in which the speed without faults is measured. */
const calmShare = 0.1

/**
 * Faults at random moments of the run, in their order. Moments are counted in tasks and not in seconds, so that a slow
 * machine does not crowd them.
 */
export function planFaults(
  seed: number,
  options: {
    readonly faults: number
    /** Of each kind, as shares of `faults`; the plan has more where they are more than 1 together. */
    readonly shares: readonly (readonly [FaultKind, number])[]
    readonly tasks: number
    readonly backlog: number
  },
): PlannedFault[] {
  const { faults, shares, tasks, backlog } = options
  const random = new Random(seed)
  const first = tasks * calmShare
  // When the last backlog begins the client has sent everything, and a crowded machine is seconds behind its plan.
  const last = Math.max(first, tasks - 4 * backlog)
  const kinds = shares.flatMap(([kind, share]) => new Array<FaultKind>(Math.round(share * faults)).fill(kind))
  const sum = shares.reduce((total, [_kind, share]) => total + share, 0)
  const count = Math.max(faults, Math.round(sum * faults))
  while (kinds.length < count) kinds.push('child')
  const moments = Array.from({ length: count }, () => Math.round(random.between(first, last)))
  moments.sort((a, b) => a - b)
  return random
    .shuffle(kinds.slice(0, count))
    .map((kind, index) => ({ index, kind, afterTasks: moments[index] as number }))
}
