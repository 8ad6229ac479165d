import { CeleryError } from '@celery/promises'

/** What is known of an error that was thrown in a child. */
export interface ChildErrorInfo {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

/** A child could not start. `message` holds the child's own words. Starting again helps only if the cause is gone. */
export class ChildStartError extends CeleryError {
  override readonly name = 'ChildStartError'
  readonly code = 'ERR_CELERY_CHILD_START'
  /** The module that the child should have run. */
  readonly module: string
  /** The error as the child reported it, if it could. */
  readonly childError: ChildErrorInfo | undefined

  constructor(module: string, why: string, childError?: ChildErrorInfo) {
    super(`pool child ${module} did not start: ${why}`)
    this.module = module
    this.childError = childError
  }
}

/** `serveJobs` was called in a process that no pool has started: its module is for `ProcessPool`, and does nothing by itself. */
export class NotInPoolError extends CeleryError {
  override readonly name = 'NotInPoolError'
  readonly code = 'ERR_CELERY_NOT_IN_POOL'

  constructor() {
    super(
      'this process is not a child of a process pool; name the module that calls serveJobs to a ProcessPool instead of importing it',
    )
  }
}

/** The pool takes no more jobs because it is closing or closed. */
export class PoolClosedError extends CeleryError {
  override readonly name = 'PoolClosedError'
  readonly code = 'ERR_CELERY_POOL_CLOSED'

  constructor() {
    super('the process pool is closed; start a new one')
  }
}

/** A job or a reply is larger than one message may be. Send a reference to the data instead. */
export class MessageTooLargeError extends CeleryError {
  override readonly name = 'MessageTooLargeError'
  readonly code = 'ERR_CELERY_MESSAGE_TOO_LARGE'
  readonly sizeBytes: number
  readonly limitBytes: number

  constructor(sizeBytes: number, limitBytes: number) {
    super(`message of ${sizeBytes} bytes is over the limit of ${limitBytes} bytes`)
    this.sizeBytes = sizeBytes
    this.limitBytes = limitBytes
  }
}

/** The other side of a pipe sent bytes that are not a frame. The child concerned is killed and replaced. */
export class CorruptFrameError extends CeleryError {
  override readonly name = 'CorruptFrameError'
  readonly code = 'ERR_CELERY_CORRUPT_FRAME'

  constructor(what: string, options?: ErrorOptions) {
    super(`corrupt frame between pool and child: ${what}`, options)
  }
}

/** The reason of a job's `signal` when its soft time limit passed. Clean up and finish, the hard limit comes next. */
export class SoftTimeLimitExceeded extends CeleryError {
  override readonly name = 'SoftTimeLimitExceeded'
  readonly code = 'ERR_CELERY_SOFT_TIME_LIMIT'
  readonly limitMs: number

  constructor(limitMs: number) {
    super(`soft time limit of ${limitMs} ms exceeded`)
    this.limitMs = limitMs
  }
}

/** @internal The other end of {@link describeError}; what a child says is not to be trusted. */
export function readErrorInfo(value: unknown): ChildErrorInfo {
  const { name, message, stack } = (value ?? {}) as Partial<Record<keyof ChildErrorInfo, unknown>>
  return {
    name: textOf(name ?? 'Error'),
    message: textOf(message ?? ''),
    ...(typeof stack === 'string' ? { stack } : {}),
  }
}

/** @internal What crosses the pipe for an error of any kind, including things that are not errors. */
export function describeError(error: unknown): ChildErrorInfo {
  if (!(error instanceof Error)) return { name: 'Error', message: textOf(error) }
  const { name, message, stack } = error
  return { name: textOf(name), message: textOf(message), ...(typeof stack === 'string' ? { stack } : {}) }
}

function textOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return Object.prototype.toString.call(value)
  }
}
