import type { SignalEvent } from './signal.ts'

/** About a worker; the sender is its node name. */
export type WorkerEvent = SignalEvent

export interface WorkerShuttingDownEvent extends WorkerEvent {
  /** The signal that it was told by: `SIGTERM`. */
  readonly signal: string
  /** `warm` waits for running tasks, `soft` for a while, `cold` ends them. */
  readonly how: 'warm' | 'soft' | 'cold'
  /** What the process is going to end with. */
  readonly exitCode: number
}

/** About a process of the pool, or a thread of it. */
export interface WorkerProcessEvent extends WorkerEvent {
  /** Its place in the pool, from 1; whoever replaces it has it, too. */
  readonly index: number
  readonly pid: number
}

export interface WorkerProcessShutdownEvent extends WorkerProcessEvent {
  readonly exitCode: number
}
