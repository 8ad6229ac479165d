import { AsyncLocalStorage } from 'node:async_hooks'
import type { TaskBody, TaskHeaders } from '@celery/protocol'
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
  /** Headers of the message, the user's own among them. */
  readonly headers: Partial<TaskHeaders>
}

/** Handed to bound tasks as the first argument, and found by `currentTask()` anywhere below a running task. */
export interface TaskContext {
  readonly request: TaskRequest
  /** Aborts with `SoftTimeLimitExceeded` at the soft time limit. */
  readonly signal: AbortSignal
}

/** The context of a task that a worker runs. Most tasks never look at it, so that it is made when they do. @internal */
export class RunningTask implements TaskContext {
  readonly #input: TraceInput
  readonly #body: TaskBody
  readonly #limits: SoftLimit | undefined
  #request: TaskRequest | undefined

  constructor(input: TraceInput, body: TaskBody, limits: SoftLimit | undefined) {
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
}

/** What a received message says of the task; without a body, nothing of its arguments. @internal */
export function taskRequest(input: TraceInput, body: TaskBody | undefined): TaskRequest {
  const { headers, hostname, queue, redeliveries } = input
  return {
    id: headers.id,
    task: headers.task,
    args: body?.args ?? [],
    kwargs: body?.kwargs ?? {},
    retries: headers.retries,
    rootId: headers.root_id,
    parentId: headers.parent_id,
    group: headers.group,
    origin: headers.origin,
    hostname,
    queue,
    redeliveries,
    calledDirectly: false,
    headers,
  }
}

const running = new AsyncLocalStorage<TaskContext | DirectContext>()

/** The task that runs here, or `undefined` outside of tasks. */
export function currentTask(): TaskContext | undefined {
  return running.getStore()
}

/** The task that a worker runs here: the current one, unless that one calls another as a plain function. @internal */
export function workerTask(): TaskContext | undefined {
  const context = running.getStore()
  return context !== undefined && 'within' in context ? context.within : context
}

/** Runs `body` as the task of `context`. @internal */
export function runInTask<T>(context: TaskContext, body: () => T): T {
  return running.run(context, body)
}

/** Of a plain call of a task. @internal */
export interface DirectContext extends TaskContext {
  /** The task of a worker in which the call is made: whose limits hold, and whose children are what it sends. */
  readonly within: TaskContext | undefined
}

/** The request of a plain call: everything empty. @internal */
export function directContext(task: string, args: readonly unknown[], newId: () => string): DirectContext {
  const id = newId()
  const within = workerTask()
  return {
    within,
    get signal() {
      return within?.signal ?? neverAborted
    },
    request: {
      id,
      task,
      args,
      kwargs: {},
      retries: 0,
      rootId: id,
      parentId: null,
      group: null,
      origin: '',
      hostname: '',
      queue: undefined,
      redeliveries: 0,
      calledDirectly: true,
      headers: {},
    },
  }
}

const neverAborted = new AbortController().signal
