import type { Fault } from '../ledger.ts'
import type { Attempt, ConfirmedTask } from './evidence.ts'

export interface Duplicate {
  readonly task: string
  readonly attempt: Attempt
  /** The fault that explains it. */
  readonly fault: Fault | undefined
}

/**
 * Milliseconds in which an orphaned child may still start what its dead parent had handed it (F-03), and a worker that was cut off
 * what it had been handed before.
 */
const orphanMs = 2_000
/** Milliseconds beyond the lease in which a worker that was paused may still start what it had fetched before. */
const resumedMs = 5_000

/**
 * Finds for every start after a task's first the fault that explains it. The rule, kept narrow:
 *
 * - the broker shows at the moment of the fault that the task's message was delivered to the process that was hit and not
 *   settled; for a child that it was its parent's message and that the child ran it last; where the broker itself was hit,
 *   to the process that held it then;
 * - an attempt of the task ran on just that process: started before the fault, or so soon after it that it comes from
 *   what the process had been handed before;
 * - the start to be explained comes after the fault;
 * - each fault explains one further start of a task and no more.
 */
export function explainDuplicates(
  tasks: Iterable<ConfirmedTask>,
  faults: readonly Fault[],
  leaseMs: number,
): Duplicate[] {
  const byTask = new Map<string, Fault[]>()
  for (const fault of faults) {
    for (const task of fault.inFlight) byTask.set(task, [...(byTask.get(task) ?? []), fault])
  }
  const duplicates: Duplicate[] = []
  for (const { id, attempts } of tasks) {
    if (attempts.length < 2) continue
    // One that ends nobody comes last: whoever looks at the report shall see how many repeats only it can account for.
    const hits = byTask.get(id) ?? []
    const unused = new Set([...hits.filter(endsOwner), ...hits.filter((fault) => !endsOwner(fault))])
    for (const attempt of attempts.slice(1)) {
      const fault = [...unused].find((candidate) =>
        explains(candidate, id, attempt, attempts, lastStart(candidate, faults, leaseMs)),
      )
      if (fault !== undefined) unused.delete(fault)
      duplicates.push({ task: id, attempt, fault })
    }
  }
  return duplicates
}

/** Whether it ends an owner or its lease. One of the broker or of a connection ends nobody: sessions outlive connections. */
export function endsOwner({ kind }: Fault): boolean {
  return kind === 'child' || kind === 'worker' || kind === 'pause'
}

function explains(fault: Fault, task: string, extra: Attempt, attempts: readonly Attempt[], lastTime: number): boolean {
  // What a client sends nobody has in flight.
  if (fault.kind === 'client' || extra.startTime < fault.time) return false
  return attempts.some((attempt) => {
    if (attempt.startTime > lastTime) return false
    if (fault.kind === 'child') return attempt.pid === fault.pid
    return attempt.workerPid === (fault.kind === 'broker' ? fault.holders?.[task] : fault.pid)
  })
}

/** Until when a task that starts in the process that was hit may come from what that had been handed before. */
function lastStart(fault: Fault, faults: readonly Fault[], leaseMs: number): number {
  if (fault.kind === 'child') return fault.time
  if (fault.kind !== 'pause') return fault.endTime + orphanMs
  let last = fault.endTime + leaseMs + resumedMs
  // While it is paused once more it starts nothing.
  for (const { kind, pid, time, endTime } of faults) {
    if (kind === 'pause' && pid === fault.pid && time >= fault.endTime && time <= last) last += endTime - time
  }
  return last
}
