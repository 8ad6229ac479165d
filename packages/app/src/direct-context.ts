import { workerTask } from './current-task.ts'
import { neverAborted } from './never-aborted.ts'
import type { RetryOptions } from './retry-options.ts'
import { Retry } from './run-requests.ts'
import type { RunningTask } from './running-task.ts'
import type { RegisteredTask } from './task.ts'
import type { TaskContext } from './task-context.ts'
import { type LogOrigin, type TaskLog, type TaskLogger, taskLogger } from './task-logger.ts'
import { directRequest, type TaskRequest } from './task-request.ts'

/** The context of a plain call of a task. */
export class DirectContext implements TaskContext {
  /** The task of a worker in which the call is made: whose limits hold, and whose children are what it sends. */
  readonly ofWorker: RunningTask | undefined = workerTask()
  readonly #task: Pick<RegisteredTask, 'base' | 'name'>
  readonly #args: readonly unknown[]
  readonly #newId: () => string
  readonly #log: TaskLog
  #request: TaskRequest | undefined

  constructor(
    task: Pick<RegisteredTask, 'base' | 'name'>,
    args: readonly unknown[],
    newId: () => string,
    log: TaskLog,
  ) {
    this.#task = task
    this.#args = args
    this.#newId = newId
    this.#log = log
  }

  get request(): TaskRequest {
    this.#request ??= directRequest(this.#task.name, this.#args, this.#newId())
    return this.#request
  }

  get signal(): AbortSignal {
    return this.ofWorker?.signal ?? neverAborted
  }

  get base(): unknown {
    return this.#task.base
  }

  get logger(): TaskLogger {
    return taskLogger('celery.task', () => this.logOrigin)
  }

  get logOrigin(): ReturnType<LogOrigin> {
    const { id, task } = this.request
    return { log: this.#log, task: { name: task, id } }
  }

  /** There is no message to send again: it throws what went wrong, also where it is asked not to. */
  retry(options: RetryOptions = {}): never {
    const message = `${this.#task.name} was called as a function, and only what a worker runs can be retried; send it with delay() or applyAsync()`
    throw options.exc ?? new Retry({ message })
  }

  async updateState(): Promise<void> {}

  async isAborted(): Promise<boolean> {
    return this.ofWorker?.isAborted() ?? false
  }
}
