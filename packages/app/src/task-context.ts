import { AsyncLocalStorage } from 'node:async_hooks'
import type { ResultTuple, SignatureData, TaskBody, TaskHeaders } from '@celery/protocol'
import type { Publication } from '@celery/transport'
import { Retry } from './app-errors.ts'
import type { RunEnd } from './run-end.ts'
import type { RegisteredTask, RetryOptions } from './task.ts'
import { type LogOrigin, TaskLog, type TaskLogger, taskLogger } from './task-logger.ts'
import type { SoftLimit, TraceInput } from './trace-types.ts'

/** What a running task knows of its own execution. */
export interface TaskRequest {
  readonly id: string
  readonly task: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** 0 on the first attempt. */
  readonly retries: number
  readonly rootId: string
  readonly parentId: string | null
  readonly group: string | null
  /** Node that sent it. */
  readonly origin: string
  /** Node that runs it. */
  readonly hostname: string
  /** Queue it came from; `undefined` when called directly. */
  readonly queue: string | undefined
  /** How often it came back from a lost worker. */
  readonly redeliveries: number
  /** Run by a plain call, not by a worker. */
  readonly calledDirectly: boolean
  /** Run in the process that called it, by `apply()` or in eager mode. */
  readonly isEager: boolean
  /** ISO 8601: not run before. */
  readonly eta: string | null
  /** ISO 8601: not run after. */
  readonly expires: string | null
  /** Seconds: of the call, else as the task was declared where it was sent. Settings and the worker's options are not in it. */
  readonly timeLimit: number | null
  /** The same of the soft limit. */
  readonly softTimeLimit: number | null
  /** Called with its result. */
  readonly callbacks: readonly SignatureData[] | null
  /** Called with its id where it fails. */
  readonly errbacks: readonly SignatureData[] | null
  /** The steps still to come, the next one last. */
  readonly chain: readonly SignatureData[] | null
  /** The body of the chord that it is a part of. */
  readonly chord: SignatureData | null
  /** Its place in its group. */
  readonly groupIndex: number | null
  /** Where replies go. */
  readonly replyTo: string | undefined
  /** 0 to 9; `undefined` where the message has none. */
  readonly priority: number | undefined
  /** Its name in logs and monitors. */
  readonly shadow: string | null
  /** Of the call; `null` leaves it to the task. */
  readonly ignoreResult: boolean | null
  /** Headers of the message, the user's own among them. */
  readonly headers: Partial<TaskHeaders>
}

/** Handed to bound tasks as the first argument, and found by `currentTask()` anywhere below a running task. */
export interface TaskContext<out Base = unknown> {
  readonly request: TaskRequest
  /** Aborts with `SoftTimeLimitExceeded` at the soft time limit. */
  readonly signal: AbortSignal
  /** What the task's option `base` gave: one object for all runs of the task in this process. */
  readonly base: Base
  /** Its lines carry the name and the id of the task. */
  readonly logger: TaskLogger
  /**
   * Ends this run: the task runs again later, under the same id. To be thrown, so that the reader sees the end of the run:
   * `throw context.retry({ countdown: 5, exc: error })`. Of several in one run, the last counts. Called as a function and not by a
   * worker, the task is not retried: it throws `exc`, or a bare `Retry`.
   * @throws Retry; with no retries left `exc`, or MaxRetriesExceededError where it was not given; TaskOptionError,
   * TaskArgumentsError and EncodeError for what cannot be sent.
   */
  retry(options?: RetryOptions & { readonly throw?: true }): never
  /** The same without ending this run: what it returns may be thrown, and the next run comes in any case. */
  retry(options: RetryOptions & { readonly throw: false }): Retry
  /**
   * Stores a state of the user's own, in upper case, and what goes with it, for `meta()` of the result. Resolves when the store
   * has it. The last state stays the last: nothing replaces SUCCESS, FAILURE or REVOKED. Where results are not
   * kept, and in a plain call, it does nothing.
   * @throws TypeError for a name that is none, or an error state without an error; what the store throws.
   */
  updateState(state: string, meta?: unknown, options?: UpdateStateOptions): Promise<void>
  /**
   * Whether somebody has called `abort()` of its result: a task that runs long asks now and then, and ends by itself. A state
   * that the task stores takes the place of that. Where results are not kept, and in a plain call, it is never aborted.
   * @throws what the store throws.
   */
  isAborted(): Promise<boolean>
}

export interface UpdateStateOptions {
  /** @defaultValue the running task */
  readonly taskId?: string
}

/** What a running task needs of the tracer. @internal */
export interface TaskHost {
  readonly taskLog: TaskLog
  planRetry(task: RegisteredTask, input: TraceInput, body: TaskBody, options: RetryOptions): PlannedRetry
  /** @throws TypeError */
  storeState(input: TraceInput, taskId: string, state: string, meta: unknown): Promise<void>
  isAborted(taskId: string): Promise<boolean>
}

/** The next run of a task. @internal */
export interface PlannedRetry {
  readonly error: Retry
  readonly publication: Publication
}

/** The context of a task that a worker runs. Most tasks never look at it, so that it is made when they do. @internal */
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

/** What a received message says of the task; without a body, nothing of its arguments. @internal */
export function taskRequest(input: TraceInput, body: TaskBody | undefined): TaskRequest {
  const { headers, hostname, priority, queue, redeliveries, replyTo } = input
  return {
    id: headers.id,
    task: headers.task,
    args: body?.args ?? [],
    kwargs: body?.kwargs ?? {},
    retries: headers.retries,
    rootId: headers.root_id,
    parentId: headers.parent_id,
    group: headers.group,
    groupIndex: headers.group_index,
    origin: headers.origin,
    hostname,
    queue,
    priority,
    redeliveries,
    replyTo,
    eta: headers.eta,
    expires: headers.expires,
    timeLimit: headers.timelimit[0],
    softTimeLimit: headers.timelimit[1],
    callbacks: body?.embed.callbacks ?? null,
    errbacks: body?.embed.errbacks ?? null,
    chain: body?.embed.chain ?? null,
    chord: body?.embed.chord ?? null,
    shadow: headers.shadow,
    ignoreResult: headers.ignore_result,
    isEager: input.isEager === true,
    calledDirectly: false,
    headers,
  }
}

const running = new AsyncLocalStorage<RunningTask | DirectContext>()

/** The task that runs here, or `undefined` outside of tasks. */
export function currentTask(): TaskContext | undefined {
  return running.getStore()
}

/**
 * A logger of that name whose lines carry the name and the id of the task that runs where it is used; may be made once, at the
 * head of a module. Outside of tasks it writes plain lines, from level warning on, to standard error.
 */
export function getTaskLogger(name: string): TaskLogger {
  return taskLogger(name, () => running.getStore()?.logOrigin ?? outside)
}

const outside: ReturnType<LogOrigin> = { log: new TaskLog() }

/** The task that a worker runs here: the current one, unless that one calls another as a plain function. @internal */
export function workerTask(): RunningTask | undefined {
  const context = running.getStore()
  return context instanceof DirectContext ? context.within : context
}

/** Runs `body` as the task of `context`. @internal */
export function runInTask<T>(context: RunningTask | DirectContext, body: () => T): T {
  return running.run(context, body)
}

/** The context of a plain call of a task. @internal */
export class DirectContext implements TaskContext {
  /** The task of a worker in which the call is made: whose limits hold, and whose children are what it sends. */
  readonly within: RunningTask | undefined = workerTask()
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
    return this.within?.signal ?? neverAborted
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
    return this.within?.isAborted() ?? false
  }
}

/** Everything that a message would say is empty. */
function directRequest(task: string, args: readonly unknown[], id: string): TaskRequest {
  return {
    id,
    task,
    args,
    kwargs: {},
    retries: 0,
    rootId: id,
    parentId: null,
    group: null,
    groupIndex: null,
    origin: '',
    hostname: '',
    queue: undefined,
    priority: undefined,
    redeliveries: 0,
    replyTo: undefined,
    eta: null,
    expires: null,
    timeLimit: null,
    softTimeLimit: null,
    callbacks: null,
    errbacks: null,
    chain: null,
    chord: null,
    shadow: null,
    ignoreResult: null,
    isEager: false,
    calledDirectly: true,
    headers: {},
  }
}

const neverAborted = new AbortController().signal
