import { CeleryError, sayNotYet } from '@celery/promises'

/** The store cannot be reached, or stayed busy for longer than the driver waits. The same call may be tried again. */
export class BackendUnavailableError extends CeleryError {
  override readonly name = 'BackendUnavailableError'
  readonly code = 'ERR_CELERY_BACKEND_UNAVAILABLE'
  /** Where the store is, with the password masked. */
  readonly address: string

  constructor(address: string, reason: string, options?: ErrorOptions) {
    super(`the result store at ${address} is not available: ${reason}`, options)
    this.address = address
  }
}

/** The backend was used after `close()`. Open a new one. */
export class BackendClosedError extends CeleryError {
  override readonly name = 'BackendClosedError'
  readonly code = 'ERR_CELERY_BACKEND_CLOSED'

  constructor() {
    super('the result backend is closed, open a new one')
  }
}

/** No driver is registered for the scheme of a result backend's URL. */
export class UnknownBackendError extends CeleryError {
  override readonly name = 'UnknownBackendError'
  readonly code = 'ERR_CELERY_UNKNOWN_BACKEND'
  readonly scheme: string
  readonly known: readonly string[]

  constructor(scheme: string, known: readonly string[]) {
    const list = known.length === 0 ? 'none is registered' : `registered are ${known.join(', ')}`
    super(
      `no result backend is registered for "${scheme}://"${sayNotYet(scheme, known, notYet)} (${list}), check the URL or register its driver`,
    )
    this.scheme = scheme
    this.known = known
  }
}

/** Celery's result stores that there is no driver of ours for in this release, by scheme. */
const notYet: Readonly<Record<string, string>> = {
  rpc: 'RabbitMQ',
  file: 'files',
  mongodb: 'MongoDB',
  postgresql: 'PostgreSQL',
  mysql: 'MySQL',
}

/** A record is larger than the backend takes. Nothing of the call was stored; the task can be given a smaller record. */
export class ResultTooLargeError extends CeleryError {
  override readonly name = 'ResultTooLargeError'
  readonly code = 'ERR_CELERY_RESULT_TOO_LARGE'
  readonly taskId: string
  readonly sizeBytes: number
  readonly maxBytes: number

  constructor(taskId: string, sizeBytes: number, maxBytes: number) {
    super(
      `the result of task ${taskId} has ${sizeBytes} bytes and the limit is ${maxBytes}, ` +
        'return less, or a reference to where the data is',
    )
    this.taskId = taskId
    this.sizeBytes = sizeBytes
    this.maxBytes = maxBytes
  }
}

/** A task id that no store can keep apart from every other one. */
export class InvalidTaskIdError extends CeleryError {
  override readonly name = 'InvalidTaskIdError'
  readonly code = 'ERR_CELERY_INVALID_TASK_ID'
  readonly taskId: string

  constructor(taskId: string, fault: string) {
    super(`task id ${JSON.stringify(taskId.slice(0, 64))} ${fault}`)
    this.taskId = taskId
  }
}

/** What is stored under a task's key is not a result record: another program wrote it. */
export class UnreadableRecordError extends CeleryError {
  override readonly name = 'UnreadableRecordError'
  readonly code = 'ERR_CELERY_UNREADABLE_RECORD'
  readonly taskId: string

  constructor(taskId: string) {
    super(`what is stored for task ${taskId} is not a result record, forget it or find out who wrote it`)
    this.taskId = taskId
  }
}
