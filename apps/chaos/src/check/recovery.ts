import type { Fault } from '../ledger.ts'
import type { History } from './evidence.ts'

export interface Recovery {
  readonly fault: Fault
  /** The worker that had to come back; `undefined` for the fleet as a whole. */
  readonly pid: number | undefined
  /** Milliseconds from when it could reach the broker until it was back; `undefined` if it never was. */
  readonly tookMs: number | undefined
}

/** Milliseconds after the death of a client in which there may be nothing to start. */
const clientAwayMs = 15_000

/**
 * How long it took after each fault of the broker or of a worker's connections:
 *
 * - until the next task started: anywhere after a fault of the broker, on the worker after one of its connections;
 * - until each worker that lost all of its connections fetched on a new one: tasks that it had before start all the same.
 *
 * Whoever fetches may still be given nothing: that took for ever where others started tasks to the end, and it did not.
 *
 * Not asked for where another fault came in between, and at the end of the run or without a client, when there may be nothing left
 * to start.
 *
 * @param limitMs - Within which tasks have to start and workers have to fetch.
 */
export function recoveries({ tasks, faults, sessions, deliveries, endTime }: History, limitMs: number): Recovery[] {
  const starts = [...tasks.values()].flatMap(({ attempts }) => attempts).sort((a, b) => a.startTime - b.startTime)
  const lastStart = starts.at(-1)?.startTime ?? 0
  const found: Recovery[] = []
  for (const fault of faults) {
    const isBroker = fault.kind === 'broker'
    if (!isBroker && fault.kind !== 'connection') continue
    const from = fault.endTime
    const workers = new Set(sessions.filter(({ time }) => time <= fault.time).map(({ pid }) => pid))
    const hit = [...workers].filter((pid) => isBroker || pid === fault.pid)
    // The client was cut off.
    if (hit.length === 0) continue

    const start = starts.find(({ startTime, workerPid }) => startTime >= from && (isBroker || workerPid === fault.pid))
    const hitAgain = (pid: number, until: number): boolean =>
      faults.some((other) => other !== fault && hits(other, pid, from, until))
    const startPid = isBroker ? undefined : fault.pid
    const isClientAway = faults.some(
      ({ kind, time }) =>
        kind === 'client' && time > from - clientAwayMs && time <= (start?.startTime ?? Number.POSITIVE_INFINITY),
    )
    if (isClientAway) {
      // Whoever comes back finds nothing to do.
    } else if (start !== undefined) {
      if (!hitAgain(startPid ?? 0, start.startTime))
        found.push({ fault, pid: startPid, tookMs: start.startTime - from })
    } else if (lastStart > from + limitMs && !hitAgain(startPid ?? 0, endTime)) {
      found.push({ fault, pid: startPid, tookMs: undefined })
    }
    for (const pid of hit) {
      const back = sessions.find((session) => session.pid === pid && session.time >= fault.time)
      // The one that was cut may have been another than that on which it fetches.
      if (fault.cut?.all === false && back === undefined) continue
      const isFed = deliveries.some((delivery) => delivery.pid === pid && delivery.time >= fault.time)
      const lastOwn = starts.findLast(({ workerPid }) => workerPid === pid)?.startTime ?? 0
      if (!isFed && lastStart > Math.max(from, lastOwn) + limitMs && !hitAgain(pid, endTime)) {
        found.push({ fault, pid, tookMs: undefined })
        continue
      }
      const until = back?.time ?? from + limitMs
      if (until > endTime || hitAgain(pid, until)) continue
      found.push({ fault, pid, tookMs: back === undefined ? undefined : Math.max(0, back.time - from) })
    }
  }
  return found
}

/** Whether a fault kept the process from coming back, or had ended it before. The pid 0 is nobody's: only the broker is hit then. */
function hits({ kind, pid, time, endTime }: Fault, candidate: number, from: number, until: number): boolean {
  if (time > until) return false
  if (kind === 'worker') return pid === candidate
  if (kind === 'broker') return endTime > from
  return (kind === 'pause' || kind === 'connection') && pid === candidate && endTime > from
}
