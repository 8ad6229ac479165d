/**
 * The ledgers: files of lines to which processes append while they live, outside of broker and result store. A line is
 * one `write` to a file opened with O_APPEND, so the death of a process leaves whole lines and processes do not mix
 * theirs. Times are milliseconds since 1970.
 *
 * | line | who writes it | when |
 * | --- | --- | --- |
 * | `sent CALL KIND TIME` | client | before a publish |
 * | `ok CALL TIME` | client | the publish resolved |
 * | `error CALL TIME CODE` | client | the publish rejected |
 * | `session SESSION PID TIME` | worker | it begins to fetch on a new connection, with this broker session |
 * | `fetched PID TIME` | worker | the first delivery on that connection came |
 * | `start TASK ATTEMPT PID WORKER-PID TIME` | task | as its first act |
 * | `end TASK ATTEMPT TIME` | task | as its last act |
 * | `saw TASK STATE ATTEMPT TIME` | observer | a record was read, `-` for one that names no attempt |
 * | `fault JSON` | injector | a fault was carried out |
 */
import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type CallKind, callKinds } from './calls.ts'
import type { PlannedCut } from './testbed/testbed.ts'

export type LedgerName = 'client' | 'tasks' | 'sightings' | 'faults'

export function ledgerPath(directory: string, name: LedgerName): string {
  return join(directory, `${name}.ledger`)
}

/** Opens a ledger, making it where missing; the function it returns appends one line. */
export function openLedger(directory: string, name: LedgerName): (line: string) => void {
  const file = openSync(ledgerPath(directory, name), 'a', 0o600)
  return (line) => {
    writeSync(file, `${line}\n`)
  }
}

export type FaultKind = 'child' | 'worker' | 'client' | 'pause' | 'broker' | 'connection'

/** What was done to which process, and what it held at that moment. */
export interface Fault {
  /** Its place in the plan. */
  readonly index: number
  readonly kind: FaultKind
  /** The process that got the signal or whose connections were cut; 0 for the broker's. */
  readonly pid: number
  /** When it was no longer able to do anything, or to reach anybody. */
  readonly time: number
  /** When a paused process went on, or the broker could be reached again; else the same as `time`. */
  readonly endTime: number
  /** Tasks whose messages were delivered to the process and not settled, as the broker had it at `time`. */
  readonly inFlight: readonly string[]
  /** Of these, the ones that were running. */
  readonly running: readonly string[]
  /** Where the broker was hit: the worker that held each task. */
  readonly holders?: Readonly<Record<string, number>>
  /** How connections were cut. */
  readonly cut?: PlannedCut
}

export type LedgerEntry =
  | { readonly type: 'sent'; readonly call: string; readonly kind: CallKind; readonly time: number }
  | { readonly type: 'ok'; readonly call: string; readonly time: number }
  | { readonly type: 'error'; readonly call: string; readonly time: number; readonly code: string }
  | { readonly type: 'session'; readonly session: string; readonly pid: number; readonly time: number }
  | { readonly type: 'fetched'; readonly pid: number; readonly time: number }
  | {
      readonly type: 'start'
      readonly task: string
      readonly attempt: string
      readonly pid: number
      readonly workerPid: number
      readonly time: number
    }
  | { readonly type: 'end'; readonly task: string; readonly attempt: string; readonly time: number }
  | {
      readonly type: 'saw'
      readonly task: string
      readonly state: string
      readonly attempt: string | undefined
      readonly time: number
    }
  | { readonly type: 'fault'; readonly fault: Fault }

/** @throws LedgerLineError */
export function parseLedger(text: string): LedgerEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine)
}

function parseLine(line: string): LedgerEntry {
  const [type, ...fields] = line.split(' ')
  const text = (index: number): string => {
    const field = fields[index]
    if (field === undefined || field === '') throw new LedgerLineError(line)
    return field
  }
  const number = (index: number): number => {
    const value = Number(text(index))
    if (!Number.isFinite(value)) throw new LedgerLineError(line)
    return value
  }
  switch (type) {
    case 'sent':
      return { type, call: text(0), kind: kindOf(text(1), line), time: number(2) }
    case 'ok':
      return { type, call: text(0), time: number(1) }
    case 'error':
      return { type, call: text(0), time: number(1), code: text(2) }
    case 'session':
      return { type, session: text(0), pid: number(1), time: number(2) }
    case 'fetched':
      return { type, pid: number(0), time: number(1) }
    case 'start':
      return { type, task: text(0), attempt: text(1), pid: number(2), workerPid: number(3), time: number(4) }
    case 'end':
      return { type, task: text(0), attempt: text(1), time: number(2) }
    case 'saw':
      return { type, task: text(0), state: text(1), attempt: text(2) === '-' ? undefined : text(2), time: number(3) }
    case 'fault':
      return { type, fault: JSON.parse(fields.join(' ')) as Fault }
    default:
      throw new LedgerLineError(line)
  }
}

function kindOf(text: string, line: string): CallKind {
  const kind = callKinds.find((known) => known === text)
  if (kind === undefined) throw new LedgerLineError(line)
  return kind
}

/** A ledger holds something that none of its writers writes: a torn line, or another file. */
export class LedgerLineError extends Error {
  override readonly name = 'LedgerLineError'
  readonly line: string

  constructor(line: string) {
    super(`a ledger holds a line that cannot be read: ${JSON.stringify(line)}`)
    this.line = line
  }
}
