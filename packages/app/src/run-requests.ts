/** What a task throws to end its run otherwise than with a result or an error. */
import { CeleryError } from '@celery/promises'
import { exceptionForm, pythonRepr } from '@celery/protocol'

/** Thrown by a task whose state is not to be recorded. */
export class Ignore extends CeleryError {
  override readonly name = 'Ignore'
  readonly code = 'ERR_CELERY_IGNORE'

  constructor(reason = 'the task asked to be ignored') {
    super(reason)
  }
}

/** Thrown by a task that refuses its message; only with late acks. Unless the message goes back, the task has failed with it. */
export class Reject extends CeleryError {
  override readonly name = 'Reject'
  readonly code = 'ERR_CELERY_REJECT'
  /** Back into its queue, instead of to the dead letters. */
  readonly requeue: boolean

  constructor(reason = 'the task rejected its message', options: { readonly requeue?: boolean } = {}) {
    super(reason)
    this.requeue = options.requeue ?? false
  }
}

/** Ends this run of a task that runs again later. `context.retry()` throws it; one made by hand brings no new run and is a failure. */
export class Retry extends CeleryError {
  override readonly name = 'Retry'
  readonly code = 'ERR_CELERY_RETRY'
  /** Why: what `retry` was given as `exc`. */
  readonly exc: unknown
  /** When: seconds from the call of `retry`, or a moment in ISO 8601. */
  readonly when: number | string | undefined

  /** @param details - In Celery's words: `Retry in 3s: ValueError('x')`. */
  constructor(details: { readonly exc?: unknown; readonly when?: number | string; readonly message?: string } = {}) {
    const { exc, message, when } = details
    super(message ?? retryText(when, exc), exc === undefined ? undefined : { cause: exc })
    this.exc = exc
    this.when = when
  }
}

function retryText(when: number | string | undefined, exc: unknown): string {
  const time = when === undefined ? '' : typeof when === 'number' ? ` in ${when}s` : ` at ${when}`
  if (exc === undefined) return `Retry${time}`
  const { exc_message, exc_type } = exceptionForm(exc)
  return `Retry${time}: ${exc_type}(${exc_message.map((arg) => pythonRepr(arg)).join(', ')})`
}
