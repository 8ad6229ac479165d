import type { ChildErrorInfo } from './errors.ts'

/** One piece of work for a child. */
export interface PoolJob {
  /** Anything that JSON can hold. */
  readonly header: unknown
  /** Handed over as it is: a string arrives as a string, bytes as bytes. Do not change bytes before the job is done. */
  readonly body: string | Uint8Array
  /**
   * Jobs of one kind take about equally long; a task's name is a good kind. The pool learns how long each kind takes and
   * sends jobs ahead only behind short ones. @defaultValue one kind for all
   */
  readonly kind?: string
  /** Milliseconds from its start until the job's `signal` aborts. @defaultValue none */
  readonly softTimeoutMs?: number
  /** Milliseconds from its start until its child is killed. @defaultValue none */
  readonly timeoutMs?: number
  /** User code is about to run, in the process `pid`. Called at most once. */
  onStarted?(pid: number): void
  /** It runs longer than `softTimeoutMs`, and its child was told. */
  onSoftTimeout?(): void
  /** The end of the job. Called exactly once, never before `submit` returns. */
  onDone(outcome: JobOutcome): void
}

export type JobOutcome =
  | JobReplied
  | JobFailed
  | JobLost
  | JobTimedOut
  | JobKilled
  /** It was never started: its owner asked for it back, or the pool closed. */
  | { readonly type: 'recalled' }

export interface JobReplied {
  readonly type: 'reply'
  readonly header: unknown
  /** A string if the handler gave a string (or nothing), else bytes. */
  readonly body: string | Uint8Array
  readonly pid: number
  /** Milliseconds that the handler took. */
  readonly runtimeMs: number
}

/** The handler threw or rejected; the child lives on. */
export interface JobFailed {
  readonly type: 'failed'
  readonly error: ChildErrorInfo
  readonly pid: number
  readonly runtimeMs: number
}

/** The child ended while the job ran. Status 0 is no success: the job called `process.exit()`. */
export interface JobLost {
  readonly type: 'lost'
  readonly pid: number
  /** Where the child was a thread: which one. */
  readonly threadId?: number
  readonly exitCode: number | null
  readonly signal: string | null
  /** The uncaught error that ended the child, if that was the cause. */
  readonly error?: ChildErrorInfo
}

/** The hard limit passed and the child was killed. */
export interface JobTimedOut {
  readonly type: 'timeout'
  readonly pid: number
  readonly limitMs: number
  /** The child could not be ended: its code may be running still, in a thread's native code for example. */
  readonly stuck?: true
}

/** The owner killed it with `ProcessPool.kill`. */
export interface JobKilled {
  readonly type: 'killed'
  readonly pid: number
}
