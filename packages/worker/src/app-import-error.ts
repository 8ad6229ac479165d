import { moduleHint } from '@celery/app/internal'
import { CeleryError } from '@celery/promises'

/** The module that creates the app cannot be imported where tasks are to run; `cause` is its own error. */
export class AppImportError extends CeleryError {
  override readonly name = 'AppImportError'
  readonly code = 'ERR_CELERY_APP_IMPORT'
  readonly module: string

  constructor(module: string, cause: unknown) {
    super(`${module} cannot be imported: ${String(cause)}${hintFor(cause)}`, { cause })
    this.module = module
  }
}

function hintFor(cause: unknown): string {
  const hint = moduleHint(cause)
  return hint === undefined ? '' : `; ${hint}`
}
