import { CeleryError } from '@celery/promises'

/** `get()` gave up waiting. The task goes on; `get()` may be called again. */
export class ResultTimeoutError extends CeleryError {
  override readonly name = 'ResultTimeoutError'
  readonly code = 'ERR_CELERY_RESULT_TIMEOUT'
  readonly taskId: string
  /** Seconds, as given to `get()`. */
  readonly timeout: number
  /** The state that was read last; `undefined` if the store never answered. */
  readonly state: string | undefined

  constructor(taskId: string, timeout: number, state: string | undefined) {
    super(`no result of task ${taskId} after ${timeout} s: ${explain(state)}`)
    this.taskId = taskId
    this.timeout = timeout
    this.state = state
  }
}

function explain(state: string | undefined): string {
  if (state === undefined) return 'the result store did not answer; is it reachable?'
  if (state === 'PENDING') {
    return 'its state is PENDING, nothing is stored; is a worker running and consuming its queue, and does the task keep its result?'
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
