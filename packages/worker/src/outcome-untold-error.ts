import { CeleryError } from '@celery/promises'

/** The task was run, and what came of it can be neither stored nor sent. To run it again would end in the same way. */
export class OutcomeUntoldError extends CeleryError {
  override readonly name = 'OutcomeUntoldError'
  readonly code = 'ERR_CELERY_OUTCOME_UNTOLD'

  constructor(reason: string) {
    super(`the task was run, but what came of it cannot be told: ${reason}`)
  }
}
