import { CeleryError } from '@celery/promises'
import { pythonRepr } from './python-repr.ts'

/** What came from a broker is no envelope. It cannot be repaired or read later: dead-letter it. */
export class InvalidEnvelopeError extends CeleryError {
  override readonly name = 'InvalidEnvelopeError'
  readonly code = 'ERR_CELERY_INVALID_ENVELOPE'
  readonly reason: string

  constructor(reason: string, options?: ErrorOptions) {
    super(`invalid message envelope: ${reason}`, options)
    this.reason = reason
  }
}

/**
 * No receiver would read a message as large as this, so that it was not sent. Store the data elsewhere, and send a
 * reference to it.
 */
export class TaskMessageTooLargeError extends CeleryError {
  override readonly name = 'TaskMessageTooLargeError'
  readonly code = 'ERR_CELERY_TASK_MESSAGE_TOO_LARGE'
  readonly task: string
  readonly sizeBytes: number
  readonly limitBytes: number

  constructor(task: string, sizeBytes: number, limitBytes: number) {
    super(
      `the message of a call of ${task} has ${sizeBytes} bytes, and receivers take no more than ${limitBytes}; ` +
        'store the data elsewhere and send a reference to it',
    )
    this.task = task
    this.sizeBytes = sizeBytes
    this.limitBytes = limitBytes
  }
}

/** A message is no task message that can be run: a header, the body or a signature in it is not what it must be. */
export class InvalidTaskMessageError extends CeleryError {
  override readonly name = 'InvalidTaskMessageError'
  readonly code = 'ERR_CELERY_INVALID_TASK_MESSAGE'
  /** Where, `headers.eta` or `body.embed.chain[0].task` for example. */
  readonly field: string
  readonly reason: string

  constructor(field: string, expected: string, found: unknown) {
    const reason = `expected ${expected}, found ${found === undefined ? 'nothing' : pythonRepr(found, { maxLength: 80 })}`
    super(`invalid task message: ${field}: ${reason}`)
    this.field = field
    this.reason = reason
  }
}

/** What a result store holds for a task is no result record. */
export class InvalidResultRecordError extends CeleryError {
  override readonly name = 'InvalidResultRecordError'
  readonly code = 'ERR_CELERY_INVALID_RESULT_RECORD'
  /** Where, `date_done` for example. */
  readonly field: string
  readonly reason: string

  constructor(field: string, reason: string, options?: ErrorOptions) {
    super(`invalid result record: ${field}: ${reason}`, options)
    this.field = field
    this.reason = reason
  }
}

/** The URL of a broker or a result store cannot be read. The message shows nothing of it but the scheme: what is wrong may be the password. */
export class InvalidServerUrlError extends CeleryError {
  override readonly name = 'InvalidServerUrlError'
  readonly code = 'ERR_CELERY_INVALID_SERVER_URL'
  readonly scheme: string | undefined
  readonly reason: string

  constructor(scheme: string | undefined, reason: string) {
    super(`the URL${scheme === undefined ? '' : ` "${scheme}://…"`} is not valid: ${reason}`)
    this.scheme = scheme
    this.reason = reason
  }
}
