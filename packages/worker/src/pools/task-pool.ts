import type { TraceInput, TraceOutcome } from '@celery/app/internal'
import type { MessageOrigin } from '../trace-input.ts'

/** Where tasks run. One implementation per way of running: processes or threads, this process. */
export interface TaskPool {
  readonly name: string
  /** Tasks run at the same time. */
  readonly concurrency: number
  /** Whether it can run tasks now. While it cannot nothing is fetched for it, and what waits in it is recalled. */
  readonly healthy: boolean
  /**
   * Slots that are taken by tasks that were reported as `timeout` and run on, because nothing can stop them. As much less
   * is fetched for the pool. @defaultValue `0`
   */
  readonly stuck?: number
  /** Of a pool for which nothing is to be fetched while it is at work: whether it is. @defaultValue it is not such a pool */
  readonly isBlocking?: boolean | undefined
  /** Whether tasks run in the worker's own process, which knows those declared after its start. @defaultValue `false` */
  readonly runsInWorker?: boolean
  /** Whether it makes use of `TaskJob.envelope`. @defaultValue `false` */
  readonly forwardsEnvelopes?: boolean
  /** Resolves when it can. */
  start(): Promise<void>
  /** Takes a task; runs it when a slot is free. */
  submit(job: TaskJob): void
  /** Gives every task that has not started back: `onDone({ type: 'recalled' })`. Resolves when all were given back. */
  recall(): Promise<void>
  /** Lets running tasks end, then ends itself. Safe twice and before `start`. */
  stop(): Promise<void>
  /** Ends at once; running tasks are `lost`. */
  terminate(): Promise<void>
  /** For logs and `inspect stats`. */
  info(): Readonly<Record<string, unknown>>
}

export interface TaskJob {
  /** The task's name. */
  readonly name: string
  readonly origin: MessageOrigin
  /** What its message says. */
  readInput(): TraceInput
  /** What the input is read from, where the broker has envelopes and the pool forwards them. */
  readonly envelope: string | Uint8Array | undefined
  /** Seconds. */
  readonly timeLimit: number | undefined
  /** Seconds. */
  readonly softTimeLimit: number | undefined
  /** User code is about to run. */
  onStarted(pid: number): void
  /** It runs over its soft limit, which it was told. */
  onSoftTimeout(): void
  onDone(result: JobResult): void
}

export type JobResult =
  | { readonly type: 'outcome'; readonly outcome: TraceOutcome }
  /** What ran it died meanwhile. `ranBy` is its name in a sentence. @defaultValue `'the process that ran the task'` */
  | { readonly type: 'lost'; readonly reason: string; readonly ranBy?: string }
  /** It was run, and what came of it cannot be told: it is too large to leave its process, for example. It fails. */
  | { readonly type: 'untold'; readonly reason: string }
  | { readonly type: 'timeout'; readonly limit: number; readonly stuck: boolean }
  /** It was never started. */
  | { readonly type: 'recalled' }
