import type { CallKind, CallTask } from '../calls.ts'
import { tasksOf } from '../calls.ts'
import type { Fault, LedgerEntry } from '../ledger.ts'

/** Everything that the checker knows: what the ledgers say, and what broker and result store hold at the end. */
export interface Evidence {
  readonly ledger: readonly LedgerEntry[]
  /** Records of the result store, by task. */
  readonly records: ReadonlyMap<string, StoredState>
  /** Messages that are still in a queue, with the dead letters. */
  readonly messages: readonly QueuedMessage[]
  /** What is wrong with what broker and result store hold; empty when they are sound. */
  readonly integrity: readonly string[]
  readonly leaseMs: number
  /**
   * Milliseconds: beyond the lease, in which the tasks of a dead worker have to run elsewhere; and from when the broker can be reached
   * again, in which tasks have to start and workers have to fetch.
   */
  readonly slackMs: number
}

export interface StoredState {
  readonly state: string
  /** The attempt that the record names; `undefined` where it names none. */
  readonly attempt: string | undefined
  /** What it failed with, where that names no attempt. */
  readonly error?: string
}

export interface QueuedMessage {
  readonly task: string
  readonly place: 'ready' | 'delayed' | 'held' | 'dead' | 'nowhere'
  /** Why the worker gave it up, where it is a dead letter. */
  readonly reason?: string
}

export interface Attempt {
  readonly id: string
  readonly pid: number
  readonly workerPid: number
  readonly startTime: number
  readonly endTime: number | undefined
}

/** One task of a call that the broker has taken. */
export interface ConfirmedTask extends CallTask {
  /** In order of their start. */
  readonly attempts: readonly Attempt[]
}

export interface History {
  readonly tasks: ReadonlyMap<string, ConfirmedTask>
  /** Tasks of calls without an answer that never started: nobody can say whether they were sent. */
  readonly unknown: readonly string[]
  /** Tasks that ran and that no client sent. */
  readonly strays: readonly string[]
  readonly faults: readonly Fault[]
  /** When which process began to fetch on a new connection, in that order. */
  readonly sessions: readonly { readonly pid: number; readonly time: number }[]
  /** When which process was delivered something on a new connection for the first time. */
  readonly deliveries: readonly { readonly pid: number; readonly time: number }[]
  /** The last that is known. */
  readonly endTime: number
  /** What was read from the result store while the run went on, in that order. */
  readonly sightings: ReadonlyMap<string, readonly StoredState[]>
  /** Publishes that rejected, by the code of their error. */
  readonly errors: ReadonlyMap<string, number>
}

const terminalStates: ReadonlySet<string> = new Set(['SUCCESS', 'FAILURE', 'REVOKED'])

export function isTerminal(state: string | undefined): boolean {
  return state !== undefined && terminalStates.has(state)
}

/** Sorts the lines of all ledgers by what they are about. */
export function readHistory(ledger: readonly LedgerEntry[]): History {
  const calls = new Map<string, { kind: CallKind; confirmed: boolean }>()
  const attempts = new Map<string, Attempt[]>()
  const ends = new Map<string, number>()
  const sightings = new Map<string, StoredState[]>()
  const errors = new Map<string, number>()
  const faults: Fault[] = []
  const sessions: { pid: number; time: number }[] = []
  const deliveries: { pid: number; time: number }[] = []
  let endTime = 0
  for (const entry of ledger) if (entry.type === 'end') ends.set(entry.attempt, entry.time)
  for (const entry of ledger) {
    endTime = Math.max(endTime, entry.type === 'fault' ? entry.fault.endTime : entry.time)
    switch (entry.type) {
      case 'sent':
        calls.set(entry.call, { kind: entry.kind, confirmed: false })
        break
      case 'ok': {
        const call = calls.get(entry.call)
        if (call !== undefined) call.confirmed = true
        break
      }
      case 'error':
        errors.set(entry.code, (errors.get(entry.code) ?? 0) + 1)
        break
      case 'start':
        append(attempts, entry.task, {
          id: entry.attempt,
          pid: entry.pid,
          workerPid: entry.workerPid,
          startTime: entry.time,
          endTime: ends.get(entry.attempt),
        })
        break
      case 'session':
        sessions.push({ pid: entry.pid, time: entry.time })
        break
      case 'fetched':
        deliveries.push({ pid: entry.pid, time: entry.time })
        break
      case 'saw':
        append(sightings, entry.task, { state: entry.state, attempt: entry.attempt })
        break
      case 'fault':
        faults.push(entry.fault)
    }
  }

  const tasks = new Map<string, ConfirmedTask>()
  const unknown: string[] = []
  for (const [callId, { kind, confirmed }] of calls) {
    const parts = tasksOf(callId, kind)
    // What ran was in the broker, whatever the client learned of it.
    if (confirmed || parts.some((part) => attempts.has(part.id))) {
      for (const part of parts) {
        const sorted = (attempts.get(part.id) ?? []).sort((a, b) => a.startTime - b.startTime)
        tasks.set(part.id, { ...part, attempts: sorted })
      }
    } else unknown.push(...parts.map((part) => part.id))
  }
  const strays = [...attempts.keys()].filter((task) => !tasks.has(task))
  faults.sort((a, b) => a.time - b.time)
  sessions.sort((a, b) => a.time - b.time)
  return { tasks, unknown, strays, faults, sessions, deliveries, endTime, sightings, errors }
}

function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [item])
  else list.push(item)
}
