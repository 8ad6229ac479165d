import type { SignatureData, TaskBody, TaskHeaders } from '@celery/protocol'
import type { TraceInput } from './trace-types.ts'

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
  /** Headers of the message, the sender's own among them. */
  readonly headers: Partial<TaskHeaders> & Readonly<Record<string, unknown>>
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
    headers: headers as TaskRequest['headers'],
  }
}

/** What a plain call says of the task: everything that a message would say is empty. @internal */
export function directRequest(task: string, args: readonly unknown[], id: string): TaskRequest {
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
