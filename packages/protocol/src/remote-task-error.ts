import { CeleryError } from '@celery/promises'
import { pythonRepr } from './python-repr.ts'
import type { ExceptionForm } from './result-record.ts'

/** An error that a task threw elsewhere and whose class is not registered here. */
export class RemoteTaskError extends CeleryError {
  override readonly name = 'RemoteTaskError'
  readonly code = 'ERR_CELERY_REMOTE_TASK'
  /** Name of its class there. */
  readonly excType: string
  /** Python module of its class; `null` for other languages. */
  readonly excModule: string | null
  /** What it was made with. */
  readonly args: readonly unknown[]
  /** Where it was thrown, as the worker saw it. */
  readonly traceback: string | null

  constructor(form: ExceptionForm, traceback: string | null = null) {
    const args = form.exc_message.map((arg) => pythonRepr(arg, { maxLength: 300 })).slice(0, 10)
    super(`task failed with ${pythonRepr(form.exc_type, { maxLength: 100 }).slice(1, -1)}(${args.join(', ')})`)
    this.excType = form.exc_type
    this.excModule = form.exc_module
    this.args = form.exc_message
    this.traceback = traceback
  }
}
