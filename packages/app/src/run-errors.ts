/** How a run of a task ends where the task itself did not end it; stored as its result. */
import { CeleryError } from '@celery/promises'

/** The process or thread that ran the task ended before the task did. */
export class WorkerLostError extends CeleryError {
  override readonly name = 'WorkerLostError'
  readonly code = 'ERR_CELERY_WORKER_LOST'
}

/** The task ran longer than its hard time limit and was stopped. */
export class TimeLimitExceededError extends CeleryError {
  override readonly name = 'TimeLimitExceeded'
  readonly code = 'ERR_CELERY_TIME_LIMIT'
  /** Seconds. */
  readonly limit: number

  constructor(limit: number) {
    super(`the task ran longer than its hard time limit of ${limit} s`)
    this.limit = limit
  }
}

/** The task ran longer than its soft time limit; its `signal` aborts with this. */
export class SoftTimeLimitExceededError extends CeleryError {
  override readonly name = 'SoftTimeLimitExceeded'
  readonly code = 'ERR_CELERY_SOFT_TIME_LIMIT'
  /** Seconds; a Python worker does not say how many. */
  readonly limit: number | undefined

  constructor(limit: number | undefined) {
    super(`the task ran longer than its soft time limit${limit === undefined ? '' : ` of ${limit} s`}`)
    this.limit = limit
  }
}

/** The task was not run: it had expired, or someone revoked it. */
export class TaskRevokedError extends CeleryError {
  override readonly name = 'TaskRevokedError'
  readonly code = 'ERR_CELERY_TASK_REVOKED'
}

/** A task asked to run again more often than `maxRetries` allows. */
export class MaxRetriesExceededError extends CeleryError {
  override readonly name = 'MaxRetriesExceededError'
  readonly code = 'ERR_CELERY_MAX_RETRIES'
}
