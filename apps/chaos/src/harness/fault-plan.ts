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

const shares: readonly (readonly [FaultKind, number])[] = [
  ['child', 0.4],
  ['worker', 0.2],
  ['client', 0.2],
  ['pause', 0.2],
]

/**
 * Faults at random moments of the run, in their order. Moments are counted in tasks and not in seconds, so that a slow
 * machine does not crowd them.
 */
export function planFaults(
  seed: number,
  options: { readonly faults: number; readonly tasks: number; readonly backlog: number },
): PlannedFault[] {
  const { faults, tasks, backlog } = options
  const random = new Random(seed)
  const first = tasks * calmShare
  // When the last backlog begins the client has sent everything, and a crowded machine is seconds behind its plan.
  const last = Math.max(first, tasks - 4 * backlog)
  const kinds = shares.flatMap(([kind, share]) => new Array<FaultKind>(Math.round(share * faults)).fill(kind))
  while (kinds.length < faults) kinds.push('child')
  const moments = Array.from({ length: faults }, () => Math.round(random.between(first, last)))
  moments.sort((a, b) => a - b)
  return random
    .shuffle(kinds.slice(0, faults))
    .map((kind, index) => ({ index, kind, afterTasks: moments[index] as number }))
}
