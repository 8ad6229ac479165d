import type { ResultTuple, TaskBody } from '@celery/protocol'
import { neverAborted } from './never-aborted.ts'
import type { RetryOptions } from './retry-options.ts'
import type { PlannedRetry, RunEnd } from './run-end.ts'
import type { Retry } from './run-requests.ts'
import type { RegisteredTask } from './task.ts'
import type { TaskContext, UpdateStateOptions } from './task-context.ts'
import { type LogOrigin, type TaskLog, type TaskLogger, taskLogger } from './task-logger.ts'
import { type TaskRequest, taskRequest } from './task-request.ts'
import type { SoftLimit, TraceInput } from './trace-types.ts'

/** What a running task asks of its app. */
export interface TaskHost {
  readonly taskLog: TaskLog
  planRetry(task: RegisteredTask, input: TraceInput, body: TaskBody, options: RetryOptions): PlannedRetry
  /** @throws TypeError */
  storeState(input: TraceInput, taskId: string, state: string, meta: unknown): Promise<void>
  isAborted(taskId: string): Promise<boolean>
}

/** The context of a task that a worker runs. Most tasks never look at it, so that it is made when they do. */
export class RunningTask implements TaskContext {
  readonly #host: TaskHost
  readonly #task: RegisteredTask
  readonly #input: TraceInput
  readonly #body: TaskBody
  readonly #limits: SoftLimit | undefined
  #request: TaskRequest | undefined
  /** The next run, where the task asked for one. */
  planned: PlannedRetry | undefined
  /** The states that it stores, one after the other. Never rejects. */
  updates: Promise<void> | undefined
  /** What it has sent, for the children of its result. */
  children: ResultTuple[] | undefined

  constructor(host: TaskHost, task: RegisteredTask, input: TraceInput, body: TaskBody, limits: SoftLimit | undefined) {
    this.#host = host
    this.#task = task
    this.#input = input
    this.#body = body
    this.#limits = limits
  }

  get task(): RegisteredTask {
    return this.#task
  }

  get input(): TraceInput {
    return this.#input
  }

  get body(): TaskBody {
    return this.#body
  }

  get ofWorker(): RunningTask {
    return this
  }

  get request(): TaskRequest {
    this.#request ??= taskRequest(this.#input, this.#body)
    return this.#request
  }

  get signal(): AbortSignal {
    return this.#limits?.signal ?? neverAborted
  }

  get base(): unknown {
    return this.#task.base
  }

  get logger(): TaskLogger {
    return taskLogger('celery.task', () => this.logOrigin)
  }

  get logOrigin(): ReturnType<LogOrigin> {
    const { id, task } = this.#input.headers
    return { log: this.#host.taskLog, task: { name: task, id } }
  }

  retry(options?: RetryOptions & { readonly throw?: true }): never
  retry(options: RetryOptions & { readonly throw: false }): Retry
  retry(options: RetryOptions & { readonly throw?: boolean } = {}): Retry {
    this.planned = this.#host.planRetry(this.#task, this.#input, this.#body, options)
    if (options.throw === false) return this.planned.error
    throw this.planned.error
  }

  updateState(state: string, meta: unknown = null, options: UpdateStateOptions = {}): Promise<void> {
    const { taskId = this.#input.headers.id } = options
    const store = (): Promise<void> => this.#host.storeState(this.#input, taskId, state, meta)
    const stored = this.updates === undefined ? store() : this.updates.then(store)
    // Whoever does not wait for it is not to end the process when the store is away; the task's log has it then.
    this.updates = stored.catch((error: unknown) => this.logger.warning(`the state ${state} was not stored: ${error}`))
    return stored
  }

  isAborted(): Promise<boolean> {
    return this.#host.isAborted(this.#input.headers.id)
  }

  /** What the run came to. */
  ended(end: RunEnd): void {
    this.#limits?.onEnd?.(end)
  }

  /** A call that the task has sent. */
  addChild(child: ResultTuple): void {
    if (this.#task.options.trail === false) return
    this.children ??= []
    this.children.push(child)
  }
}
