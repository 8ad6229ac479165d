import type { RetryOptions } from './retry-options.ts'
import type { Retry } from './run-requests.ts'
import type { TaskLogger } from './task-logger.ts'
import type { TaskRequest } from './task-request.ts'

/** Handed to bound tasks as the first argument, and found by `currentTask()` anywhere below a running task. */
export interface TaskContext<out Base = unknown> {
  readonly request: TaskRequest
  /** Aborts with `SoftTimeLimitExceeded` at the soft time limit. */
  readonly signal: AbortSignal
  /** What the task's option `base` gave: one object for all runs of the task in this process. */
  readonly base: Base
  /** Its lines carry the name and the id of the task. */
  readonly logger: TaskLogger
  /**
   * Ends this run: the task runs again later, under the same id. To be thrown, so that the reader sees the end of the run:
   * `throw context.retry({ countdown: 5, exc: error })`. Of several in one run, the last counts. Called as a function and not by a
   * worker, the task is not retried: it throws `exc`, or a bare `Retry`.
   * @throws Retry; with no retries left `exc`, or MaxRetriesExceededError where it was not given; TaskOptionError,
   * TaskArgumentsError and EncodeError for what cannot be sent.
   */
  retry(options?: RetryOptions & { readonly throw?: true }): never
  /** The same without ending this run: what it returns may be thrown, and the next run comes in any case. */
  retry(options: RetryOptions & { readonly throw: false }): Retry
  /**
   * Stores a state of the user's own, in upper case, and what goes with it, for `meta()` of the result. Resolves when the store
   * has it. The last state stays the last: nothing replaces SUCCESS, FAILURE or REVOKED. Where results are not
   * kept, and in a plain call, it does nothing.
   * @throws TypeError for a name that is none, or an error state without an error; what the store throws.
   */
  updateState(state: string, meta?: unknown, options?: UpdateStateOptions): Promise<void>
  /**
   * Whether somebody has called `abort()` of its result: a task that runs long asks now and then, and ends by itself. A state
   * that the task stores takes the place of that. Where results are not kept, and in a plain call, it is never aborted.
   * @throws what the store throws.
   */
  isAborted(): Promise<boolean>
}

export interface UpdateStateOptions {
  /** @defaultValue the running task */
  readonly taskId?: string
}
