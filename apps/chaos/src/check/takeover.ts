import type { Fault } from '../ledger.ts'
import type { History } from './evidence.ts'

/**
 * The longest time from the kill of a worker to the start elsewhere of a task that it held. A task that another worker
 * took over and lost as well, before it started there, counts from the later fault. One that nobody could take over for a while,
 * because the broker was away or no worker was left, counts from when somebody could again.
 */
export function longestTakeoverMs(history: Pick<History, 'tasks' | 'faults' | 'sessions'>): number {
  const { tasks, faults } = history
  const faultsOf = new Map<string, Fault[]>()
  for (const fault of faults) {
    if (fault.kind !== 'worker' && fault.kind !== 'pause' && fault.kind !== 'connection') continue
    for (const task of fault.inFlight) faultsOf.set(task, [...(faultsOf.get(task) ?? []), fault])
  }
  const returns = returnTimes(history)
  let longest = 0
  for (const [task, hits] of faultsOf) {
    const attempts = tasks.get(task)?.attempts ?? []
    for (const fault of hits) {
      if (fault.kind !== 'worker') continue
      const next = attempts.find(({ workerPid, startTime }) => workerPid !== fault.pid && startTime >= fault.time)
      if (next === undefined) continue
      const hitAgain = hits.some((other) => other.time > fault.time && other.time <= next.startTime)
      if (hitAgain) continue
      const from = returns.findLast((time) => time > fault.time && time <= next.startTime) ?? fault.time
      longest = Math.max(longest, next.startTime - from)
    }
  }
  return longest
}

/** When the broker was back, or a worker after there had been none, in their order. */
function returnTimes({ faults, sessions }: Pick<History, 'faults' | 'sessions'>): number[] {
  const begins = new Map<number, number>()
  for (const { pid, time } of sessions) begins.set(pid, Math.min(time, begins.get(pid) ?? time))
  const isThere = (pid: number, begin: number, time: number): boolean =>
    begin <= time &&
    !faults.some(
      (fault) =>
        fault.pid === pid &&
        fault.time <= time &&
        (fault.kind === 'worker' || (fault.kind === 'pause' && fault.endTime > time)),
    )
  const comings = [...begins.values()]
  const broker: number[] = []
  for (const { kind, endTime } of faults) {
    if (kind === 'broker') broker.push(endTime)
    if (kind === 'pause') comings.push(endTime)
  }
  const first = comings.filter((time) => ![...begins].some(([pid, begin]) => isThere(pid, begin, time - 1)))
  return [...broker, ...first].sort((a, b) => a - b)
}
