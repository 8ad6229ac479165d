import type { TaskRequest } from './task-request.ts'

/**
 * Called in the main process of a worker, beside the processes that run its tasks: Celery's `Request` of a task. A task that
 * was killed can say nothing itself. Arguments are not decoded there. What handlers throw is logged and changes nothing.
 */
export interface RequestHandlers {
  /** The task has run over its soft limit, which it was told, or over its hard limit, for which it was killed. */
  onTimeout?(request: TaskRequest, timeout: RequestTimeout): void | Promise<void>
  /** The task has failed, or will never run to its end: it was killed, or its process died. */
  onFailure?(request: TaskRequest, failure: RequestFailure): void | Promise<void>
}

export interface RequestTimeout {
  readonly soft: boolean
  /** Seconds. */
  readonly limit: number
}

export interface RequestFailure {
  /** The error, as logs show it: `TypeError('no')`. */
  readonly reason: string
  /** Of an error that the task has thrown. */
  readonly traceback: string | undefined
}
