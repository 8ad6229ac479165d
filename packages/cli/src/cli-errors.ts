import { moduleHint } from '@celery/app/internal'
import { CeleryError } from '@celery/promises'
import { ownFrames } from './own-frames.ts'

/** The app's module was found and threw while it was loaded: nothing is wrong with the command line. Exit status 1. */
export class AppImportError extends CeleryError {
  override readonly name = 'AppImportError'
  readonly code = 'ERR_CELERY_APP_IMPORT'
  readonly file: string

  constructor(file: string, cause: unknown) {
    const lines = [`cannot load ${file}:`, ownFrames(cause), moduleHint(cause)]
    super(lines.filter((line) => line !== undefined).join('\n'), { cause })
    this.file = file
  }
}

/** Nothing is known of a task that was asked for. Exit status 1. */
export class UnknownTaskIdError extends CeleryError {
  override readonly name = 'UnknownTaskIdError'
  readonly code = 'ERR_CELERY_UNKNOWN_TASK_ID'
  readonly taskId: string

  constructor(taskId: string) {
    super(`nothing is known of task ${taskId}: it has not run yet, ignores its result, or was never sent`)
    this.taskId = taskId
  }
}

/** There are no dead messages with these ids. Exit status 1. */
export class UnknownDeadLetterError extends CeleryError {
  override readonly name = 'UnknownDeadLetterError'
  readonly code = 'ERR_CELERY_UNKNOWN_DEAD_LETTER'
  readonly ids: readonly string[]

  constructor(ids: readonly string[]) {
    super(
      `there is no dead message ${ids.map((id) => `"${id}"`).join(', ')}: celery dead list shows what there is; ` +
        'other queues than those of the app are named with -Q',
    )
    this.ids = ids
  }
}

/** Another worker has the pid file, or it cannot be written. Exit status 73, as Celery's. */
export class PidFileError extends CeleryError {
  override readonly name = 'PidFileError'
  readonly code = 'ERR_CELERY_PID_FILE'
  readonly file: string

  constructor(file: string, why: string, options?: ErrorOptions) {
    super(`cannot use the pid file ${file}: ${why}`, options)
    this.file = file
  }
}

/** The log file cannot be opened. Exit status 1. */
export class LogFileError extends CeleryError {
  override readonly name = 'LogFileError'
  readonly code = 'ERR_CELERY_LOG_FILE'
  readonly file: string

  constructor(file: string, cause: unknown) {
    super(`cannot open the log file ${file}: ${(cause as Error).message}`, { cause })
    this.file = file
  }
}
