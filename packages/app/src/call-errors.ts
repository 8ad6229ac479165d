/** What can go wrong for whoever calls a task or asks for its result. */
import { inspect } from 'node:util'
import { CeleryError } from '@celery/promises'
import { isName } from '@celery/protocol'

/** The task is not in the app's registry. */
export class NotRegisteredError extends CeleryError {
  override readonly name = 'NotRegistered'
  readonly code = 'ERR_CELERY_NOT_REGISTERED'
  readonly task: string

  /** @param place - Where it is missing: here, in the worker that got the call, or in the children of this worker's pool. */
  constructor(task: string, suggestion?: string, place: 'here' | 'worker' | 'pool' = 'here') {
    super(placeMessages[place](task, suggestion))
    this.task = task
  }
}

const placeMessages = {
  here: (task: string, suggestion: string | undefined): string => {
    const hint =
      suggestion === undefined ? 'is the module that declares it imported here?' : `did you mean "${suggestion}"?`
    return `no task "${task}" is registered in this process; ${hint}`
  },
  worker: (task: string): string =>
    `the worker that got the call knows no task "${task}"; have it import the module that declares the task, and start it again`,
  pool: (task: string): string =>
    `the task "${task}" was declared after the worker had started, and its pool does not know it; declare it before, in a module that the pool imports too, and start the worker again`,
}

/** The arguments do not fit the task's function. Python Celery raises its TypeError here. */
export class TaskArgumentsError extends CeleryError {
  override readonly name = 'TaskArgumentsError'
  readonly code = 'ERR_CELERY_TASK_ARGUMENTS'
  readonly task: string

  constructor(task: string, problem: string) {
    super(`${task}() ${problem}`)
    this.task = task
  }
}

/** An option of a call cannot be right: no worker would take the message. Nothing was sent. */
export class TaskOptionError extends CeleryError {
  override readonly name = 'TaskOptionError'
  readonly code = 'ERR_CELERY_TASK_OPTION'
  readonly task: string
  /** Its name, or where it is in the message: `body.embed.chain[0].options.time_limit`. */
  readonly option: string

  constructor(task: string, option: string, problem: string, options?: ErrorOptions) {
    super(`${option} of a call of ${isName(task) ? task : inspect(task, shortly)} ${problem}`, options)
    this.task = task
    this.option = option
  }

  static expected(task: string, option: string, expected: string, value: unknown): TaskOptionError {
    return new TaskOptionError(task, option, `must be ${expected}, not ${inspect(value, shortly)}`)
  }
}

/** A queue that no one has described, where only those of `taskQueues` may be used. */
export class QueueNotFoundError extends CeleryError {
  override readonly name = 'QueueNotFoundError'
  readonly code = 'ERR_CELERY_QUEUE_NOT_FOUND'
  readonly queue: string

  constructor(queue: string, known: readonly string[], suggestion?: string) {
    const hint = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`
    super(
      `there is no queue "${queue}" (taskQueues has ${known.join(', ')}), and taskCreateMissingQueues is off${hint}`,
    )
    this.queue = queue
  }
}

/** A call could not be sent: the broker is away, or takes nothing in, and trying again did not help. The cause says which. */
export class OperationalError extends CeleryError {
  override readonly name = 'OperationalError'
  readonly code = 'ERR_CELERY_OPERATIONAL'
  readonly task: string

  constructor(task: string, cause: Error) {
    super(`the call of ${task} was not sent: ${cause.message}`, { cause })
    this.task = task
  }
}

/** `get()` was called inside a task. */
export class SyncSubtaskError extends CeleryError {
  override readonly name = 'SyncSubtaskError'
  readonly code = 'ERR_CELERY_SYNC_SUBTASK'

  constructor(task: string) {
    super(
      `never wait for a result inside a task (${task}): every slot of the pool could be waiting; ` +
        'use pipe() or link(), or set taskDisableSyncSubtasks to false',
    )
  }
}

/** The app was closed; nothing more can be sent or read through it. Close it when everything else has ended. */
export class AppClosedError extends CeleryError {
  override readonly name = 'AppClosedError'
  readonly code = 'ERR_CELERY_APP_CLOSED'
  readonly app: string

  constructor(app: string) {
    super(
      `the app "${app}" was closed: it sends nothing and reads no results any more; close it at the end of the program`,
    )
    this.app = app
  }
}

const shortly = { depth: 0, maxStringLength: 80, maxArrayLength: 3 } as const
