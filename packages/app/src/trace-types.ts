import type { ResultWrite } from '@celery/backend'
import type { TaskHeaders } from '@celery/protocol'
import type { Publication } from '@celery/transport'
import type { RunEnd } from './run-end.ts'

/** One received task, not decoded further than its headers. Plain data: it may be on its way to another process. */
export interface TraceInput {
  readonly headers: TaskHeaders
  readonly body: string | Uint8Array
  readonly contentType: string
  readonly contentEncoding: string
  readonly replyTo: string | undefined
  /** Of the message, which a retry keeps. */
  readonly priority?: number | undefined
  readonly queue: string
  readonly redeliveries: number
  /** Node that runs it. */
  readonly hostname: string
  /** Run in the process that called it, by `apply()` or in eager mode. */
  readonly isEager?: boolean
}

/** Where a running task's signal comes from. Read only when the task asks for it. */
export interface SoftLimit {
  readonly signal: AbortSignal
  /** Told what the run came to, before it is encoded. */
  readonly onEnd?: (end: RunEnd) => void
}

/**
 * What came of running a task: everything that is to be stored and sent, encoded, with all ids fixed. Whoever owns the
 * delivery settles it in one step. Plain data: it may come from another process.
 */
export interface TraceOutcome {
  readonly state: TraceState
  /** Seconds. */
  readonly runtime: number
  /** The result or the error in one line, for logs and events. */
  readonly text: string
  readonly traceback?: string
  /** The record for the result store; absent where results are ignored. With `REJECTED` for where the message does not come back. */
  readonly write?: ResultWrite
  /**
   * Records of the later steps of its chain, which nobody is going to run now: who waits for one of them hears why. Kept or
   * left out together with `write`, and there also where the result of this task itself is ignored.
   */
  readonly unreached?: readonly ResultWrite[]
  /** Callbacks and the next step of the chain, or errbacks; where it is retried, the message of the next run comes last. */
  readonly publish?: readonly Publication[]
  /** The message cannot be run by anyone: why. It belongs to the dead letters. */
  readonly dead?: string
  /**
   * The task is not registered in the process that was to run it, and messages of such tasks are requeued: nothing is
   * stored or sent.
   */
  readonly isUnknown?: boolean
  /** With `REJECTED`: back into the queue. */
  readonly requeue?: boolean
  /** With `FAILURE`: the task said in `throws` that this may happen. */
  readonly expected?: boolean
}

export type TraceState = 'SUCCESS' | 'FAILURE' | 'RETRY' | 'IGNORED' | 'REJECTED'
