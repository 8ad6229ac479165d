import { CeleryError } from '@celery/promises'

/** The command line cannot be carried out as it is. Printed without a stack; exit status 64. */
export class UsageError extends CeleryError {
  override readonly name = 'UsageError'
  readonly code = 'ERR_CELERY_USAGE'
}
