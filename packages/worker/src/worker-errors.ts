import { CeleryError } from '@celery/promises'

/** A pool process imported the module and found no app in it. */
export class AppNotFoundError extends CeleryError {
  override readonly name = 'AppNotFoundError'
  readonly code = 'ERR_CELERY_APP_NOT_FOUND'
  readonly module: string

  constructor(module: string, exportName: string | undefined) {
    const what = exportName === undefined ? 'a Celery app' : `a Celery app as "${exportName}"`
    super(`${module} does not export ${what}; export it: export const app = new Celery('name')`)
    this.module = module
  }
}
