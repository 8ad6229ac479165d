import type { Fault } from '../ledger.ts'
import type { ConfirmedTask } from './evidence.ts'

/**
 * The longest time from the kill of a worker to the start elsewhere of a task that it held. A task that another worker
 * took over and lost as well, before it started there, counts from the later fault.
 */
export function longestTakeoverMs(tasks: ReadonlyMap<string, ConfirmedTask>, faults: readonly Fault[]): number {
  const faultsOf = new Map<string, Fault[]>()
  for (const fault of faults) {
    if (fault.kind === 'client' || fault.kind === 'child') continue
    for (const task of fault.inFlight) faultsOf.set(task, [...(faultsOf.get(task) ?? []), fault])
  }
  let longest = 0
  for (const [task, hits] of faultsOf) {
    const attempts = tasks.get(task)?.attempts ?? []
    for (const fault of hits) {
      if (fault.kind !== 'worker') continue
      const next = attempts.find(({ workerPid, startTime }) => workerPid !== fault.pid && startTime >= fault.time)
      if (next === undefined) continue
      const hitAgain = hits.some((other) => other.time > fault.time && other.time <= next.startTime)
      if (!hitAgain) longest = Math.max(longest, next.startTime - fault.time)
    }
  }
  return longest
}
