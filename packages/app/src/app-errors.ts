import { inspect } from 'node:util'
import { CeleryError } from '@celery/promises'
import { exceptionForm, isName, pythonRepr } from '@celery/protocol'

/** A setting or option that cannot be right. Celery's ImproperlyConfigured. */
export class ImproperlyConfiguredError extends CeleryError {
  override readonly name = 'ImproperlyConfigured'
  readonly code = 'ERR_CELERY_IMPROPERLY_CONFIGURED'
  readonly setting: string

  constructor(setting: string, problem: string) {
    super(problem)
    this.setting = setting
  }
}

/** The task is not in the app's registry. */
export class NotRegisteredError extends CeleryError {
  override readonly name = 'NotRegistered'
  readonly code = 'ERR_CELERY_NOT_REGISTERED'
  readonly task: string

  constructor(task: string, suggestion?: string, place: 'here' | 'worker' = 'here') {
    const hint =
      suggestion === undefined ? 'is the module that declares it imported here?' : `did you mean "${suggestion}"?`
    super(
      place === 'here'
        ? `no task "${task}" is registered in this process; ${hint}`
        : `the worker that got the call knows no task "${task}"; have it import the module that declares the task, and start it again`,
    )
    this.task = task
  }
}

/** Two different functions under one task name. */
export class AlreadyRegisteredError extends CeleryError {
  override readonly name = 'AlreadyRegistered'
  readonly code = 'ERR_CELERY_ALREADY_REGISTERED'
  readonly task: string

  constructor(task: string) {
    super(`a task named "${task}" is already registered in this app; give one of the two another name`)
    this.task = task
  }
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

/** A pool process imported the module of the app and found none in it. */
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

/** A worker was given a name that cannot stand in paths and log lines. */
export class InvalidNodeNameError extends CeleryError {
  override readonly name = 'InvalidNodeNameError'
  readonly code = 'ERR_CELERY_INVALID_NODE_NAME'
  readonly nodeName: string

  constructor(nodeName: string, reason: string) {
    super(`${JSON.stringify(nodeName.slice(0, 100))} cannot be the name of a worker: ${reason}`)
    this.nodeName = nodeName
  }
}

/** A driver package is needed and not there. */
export class DriverMissingError extends CeleryError {
  override readonly name = 'DriverMissingError'
  readonly code = 'ERR_CELERY_DRIVER_MISSING'
  readonly package: string

  constructor(url: string, packageName: string, options?: ErrorOptions) {
    super(`${url} needs the package ${packageName}, which is not installed; run: npm install ${packageName}`, options)
    this.package = packageName
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

/** No broker is configured where the embedded one would be a mistake. */
export class NoBrokerError extends CeleryError {
  override readonly name = 'NoBrokerError'
  readonly code = 'ERR_CELERY_NO_BROKER'

  constructor() {
    super(
      'no broker is configured, and NODE_ENV is "production"; set brokerUrl (or CELERY_BROKER_URL), ' +
        'or set CELERY_LOCAL to a file to use the embedded broker on purpose',
    )
  }
}

/** Results are asked for, and nothing keeps them. */
export class NoBackendError extends CeleryError {
  override readonly name = 'NoBackendError'
  readonly code = 'ERR_CELERY_NO_BACKEND'

  constructor() {
    super(
      'no result backend is configured, so results cannot be read; set resultBackend, to "memory://" or "sqlite:///path" for example',
    )
  }
}

/** The process or thread that ran the task ended before the task did. */
export class WorkerLostError extends CeleryError {
  override readonly name = 'WorkerLostError'
  readonly code = 'ERR_CELERY_WORKER_LOST'
}

/** The task ran longer than its hard time limit and was stopped. */
export class TimeLimitExceededError extends CeleryError {
  override readonly name = 'TimeLimitExceeded'
  readonly code = 'ERR_CELERY_TIME_LIMIT'
  /** Seconds. */
  readonly limit: number

  constructor(limit: number) {
    super(`the task ran longer than its hard time limit of ${limit} s`)
    this.limit = limit
  }
}

/** The task ran longer than its soft time limit; its `signal` aborts with this. */
export class SoftTimeLimitExceededError extends CeleryError {
  override readonly name = 'SoftTimeLimitExceeded'
  readonly code = 'ERR_CELERY_SOFT_TIME_LIMIT'
  /** Seconds; a Python worker does not say how many. */
  readonly limit: number | undefined

  constructor(limit: number | undefined) {
    super(`the task ran longer than its soft time limit${limit === undefined ? '' : ` of ${limit} s`}`)
    this.limit = limit
  }
}

/** The task was not run: it had expired, or someone revoked it. */
export class TaskRevokedError extends CeleryError {
  override readonly name = 'TaskRevokedError'
  readonly code = 'ERR_CELERY_TASK_REVOKED'
}

/** Thrown by a task whose state is not to be recorded. */
export class Ignore extends CeleryError {
  override readonly name = 'Ignore'
  readonly code = 'ERR_CELERY_IGNORE'

  constructor(reason = 'the task asked to be ignored') {
    super(reason)
  }
}

/** Thrown by a task that refuses its message; only with late acks. */
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

/** A task asked to run again more often than `maxRetries` allows. */
export class MaxRetriesExceededError extends CeleryError {
  override readonly name = 'MaxRetriesExceededError'
  readonly code = 'ERR_CELERY_MAX_RETRIES'
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

const shortly = { depth: 0, maxStringLength: 80, maxArrayLength: 3 } as const

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

/** A module that a worker is to import is not there. */
export class ModuleNotFoundError extends CeleryError {
  override readonly name = 'ModuleNotFoundError'
  readonly code = 'ERR_CELERY_MODULE_NOT_FOUND'
  readonly module: string
  /** Files and packages, in the order in which they were looked for. */
  readonly lookedFor: readonly string[]

  constructor(module: string, lookedFor: readonly string[], options?: ErrorOptions) {
    super(
      `cannot find the module "${module}" to import; looked for ${lookedFor.join(', then for ')}; ` +
        'give its path from the working directory, or the name of an installed package',
      options,
    )
    this.module = module
    this.lookedFor = lookedFor
  }
}
