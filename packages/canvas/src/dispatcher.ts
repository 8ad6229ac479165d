import type { SignatureData, SignatureOptions } from '@celery/protocol'
import type { AsyncResult, EagerResult } from '@celery/results'

/** What signatures need of the application that sends them; `App` implements it. */
export interface Dispatcher {
  /** A fresh task id. */
  newId(): string
  /** Where replies go (`reply_to`), fixed in every step of a chain. */
  readonly replyTo?: string | undefined
  /** Sends `plan.call` and resolves to {@link resultOf} its steps when the broker has it. */
  send(plan: CallPlan): Promise<AsyncResult>
  /** Runs `plan.call`, and what follows from it, in this process; resolves to the result of the last of its steps. */
  apply(plan: CallPlan, options?: ApplyOptions): Promise<EagerResult>
  /** A handle on the last of the frozen steps; the steps before it are its parents. {@link resultLine} helps. */
  resultOf(steps: readonly SignatureData[]): AsyncResult
}

export interface ApplyOptions {
  /** Throws the task's error instead of keeping it in the result. @defaultValue `taskEagerPropagates` */
  readonly throw?: boolean | undefined
}

/** What to send, and what will have run in the end. */
export interface CallPlan {
  readonly call: PlannedCall
  /** Every step in running order, ids fixed; the first one is `call`'s. */
  readonly steps: readonly SignatureData[]
}

/** One message to be sent, all that its signature says taken apart. */
export interface PlannedCall {
  readonly task: string
  readonly taskId: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** What is left of the signature's options: queue, times, limits, group and so on; never an id, a link or a chain. */
  readonly options: SignatureOptions
  readonly callbacks: readonly SignatureData[] | null
  readonly errbacks: readonly SignatureData[] | null
  /** The steps still to come, the next one LAST. */
  readonly chain: readonly SignatureData[] | null
  /** Absent where the sender decides: the running task's root, or the task itself. */
  readonly rootId?: string | undefined
  /** Absent where the sender decides: the running task, or none. */
  readonly parentId?: string | undefined
}
