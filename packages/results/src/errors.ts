import { CeleryError } from '@celery/promises'

/** `get()` gave up waiting. The task goes on; `get()` may be called again. */
export class ResultTimeoutError extends CeleryError {
  override readonly name = 'ResultTimeoutError'
  readonly code = 'ERR_CELERY_RESULT_TIMEOUT'
  readonly taskId: string
  /** Seconds, as given to `get()`. */
  readonly timeout: number
  /** The state that was read last; `undefined` if the store had not answered yet. */
  readonly state: string | undefined

  constructor(taskId: string, timeout: number, state: string | undefined, sent?: SentCall) {
    const name = sent === undefined ? `task ${taskId}` : `${sent.task}[${taskId}]`
    super(`no result of ${name} after ${timeout} s: ${explain(state, sent?.queue)}`)
    this.taskId = taskId
    this.timeout = timeout
    this.state = state
  }
}

/** What is known of the sending of a task. */
export interface SentCall {
  readonly task: string
  /** Absent where its queue is chosen by an exchange. */
  readonly queue?: string
}

function explain(state: string | undefined, queue: string | undefined): string {
  // It may be well, and only be opened just now.
  if (state === undefined)
    return 'the result store had not answered by then; wait longer, or see whether it is reachable'
  if (state === 'PENDING') {
    const consuming = queue === undefined ? 'its queue' : `the queue "${queue}"`
    return `its state is PENDING, nothing was heard of it; is a worker running and consuming ${consuming}, and does the task keep its result?`
  }
  if (state === 'RETRY') return 'its state is RETRY; it failed and waits to be run again'
  return `its state is ${state}; it has not finished`
}

/** The application was closed while `get()` waited. The task goes on. */
export class ResultReaderClosedError extends CeleryError {
  override readonly name = 'ResultReaderClosedError'
  readonly code = 'ERR_CELERY_RESULT_READER_CLOSED'

  constructor() {
    super('the results of this application cannot be read any more: it was closed')
  }
}

/** `revoke()` was called where nothing can end tasks. */
export class RevokeUnavailableError extends CeleryError {
  override readonly name = 'RevokeUnavailableError'
  readonly code = 'ERR_CELERY_REVOKE_UNAVAILABLE'
  readonly taskId: string

  constructor(taskId: string) {
    super(
      `task ${taskId} cannot be revoked: this application has no remote control; give it a revoker (@celery/control)`,
    )
    this.taskId = taskId
  }
}

/** `abort()` was called where nothing can be stored. */
export class AbortUnavailableError extends CeleryError {
  override readonly name = 'AbortUnavailableError'
  readonly code = 'ERR_CELERY_ABORT_UNAVAILABLE'
  readonly taskId: string

  constructor(taskId: string) {
    super(`task ${taskId} cannot be aborted from here: this handle only reads; use that of an application`)
    this.taskId = taskId
  }
}

/** A result tuple is that of a group, where the result of one task was wanted. */
export class GroupTupleError extends CeleryError {
  override readonly name = 'GroupTupleError'
  readonly code = 'ERR_CELERY_GROUP_TUPLE'
  readonly groupId: string

  constructor(groupId: string, size: number) {
    super(`the result tuple of ${groupId} is that of a group of ${size} tasks, not of one task`)
    this.groupId = groupId
  }
}
