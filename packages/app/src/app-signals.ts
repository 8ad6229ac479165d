import type { WireMessage } from '@celery/protocol'
import type { Retry } from './app-errors.ts'
import { Signal, type SignalEvent } from './signal.ts'
import type { TaskRequest } from './task-context.ts'

/** About a call that is being sent. */
export interface BeforeTaskPublishEvent extends SignalEvent {
  readonly exchange: string
  readonly routingKey: string
  /** The arguments and what follows, before they are encoded. */
  readonly body: readonly unknown[]
  /** What a receiver changes here is sent so. */
  readonly headers: Record<string, unknown>
  /** What a receiver changes here is sent so. */
  readonly properties: Record<string, unknown>
}

/** About a call that the broker has. */
export interface AfterTaskPublishEvent extends SignalEvent {
  readonly exchange: string
  readonly routingKey: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: WireMessage['body']
}

/** About a received call. */
export interface TaskEvent extends SignalEvent {
  readonly request: TaskRequest
}

export interface TaskPostrunEvent extends TaskEvent {
  /** What came of it: a state of the result store, `IGNORED` or `REJECTED`. */
  readonly state: string
  /** What it returned, or what it threw. */
  readonly result: unknown
}

export interface TaskSuccessEvent extends TaskEvent {
  readonly result: unknown
}

export interface TaskRetryEvent extends TaskEvent {
  readonly reason: Retry
}

export interface TaskFailureEvent extends TaskEvent {
  readonly error: unknown
}

export interface TaskRevokedEvent extends TaskEvent {
  readonly reason: Error
  /** It was too late to run it. */
  readonly expired: boolean
  /** Its process was ended for it. */
  readonly terminated: boolean
}

export interface TaskUnknownEvent extends SignalEvent {
  readonly id: string
  readonly queue: string
  readonly error: Error
}

/** The sender is the queue, because no task is known. */
export interface TaskRejectedEvent extends SignalEvent {
  /** Where the message has one. */
  readonly id: string | undefined
  readonly error: Error
}

/**
 * The signals of the task life, with Celery's names. `taskPrerun` to `taskInternalError` are sent by the process that runs the
 * task, the ones after them by the worker's main process, before or instead of running it; the failure of a task whose
 * process died or was killed is sent by the main process.
 */
export class AppSignals {
  /** Before a call is sent, by whoever sends it; receivers may change headers and properties. */
  readonly beforeTaskPublish: Signal<BeforeTaskPublishEvent>
  /** When the broker has a call, by whoever sent it. */
  readonly afterTaskPublish: Signal<AfterTaskPublishEvent>
  /** Before a task runs. */
  readonly taskPrerun: Signal<TaskEvent>
  /** After a task ran, whatever came of it. */
  readonly taskPostrun: Signal<TaskPostrunEvent>
  readonly taskSuccess: Signal<TaskSuccessEvent>
  readonly taskRetry: Signal<TaskRetryEvent>
  readonly taskFailure: Signal<TaskFailureEvent>
  /** The outcome of a task could not be told: an error of the worker's, or one that cannot be read. */
  readonly taskInternalError: Signal<TaskFailureEvent>
  /** A worker has a task and will run it, now or at its time. Its arguments are not decoded yet. */
  readonly taskReceived: Signal<TaskEvent>
  /** A task is not run, because it has expired or was revoked. */
  readonly taskRevoked: Signal<TaskRevokedEvent>
  /** A worker got a task that it does not know. */
  readonly taskUnknown: Signal<TaskUnknownEvent>
  /** A worker got what is no task message. */
  readonly taskRejected: Signal<TaskRejectedEvent>
  #watchesRuns = false

  constructor(onError: (signal: string, error: unknown) => void) {
    const options = { onError }
    const ofRuns = { onError, onChange: () => this.#count() }
    this.beforeTaskPublish = new Signal('beforeTaskPublish', options)
    this.afterTaskPublish = new Signal('afterTaskPublish', options)
    this.taskPrerun = new Signal('taskPrerun', ofRuns)
    this.taskPostrun = new Signal('taskPostrun', ofRuns)
    this.taskSuccess = new Signal('taskSuccess', ofRuns)
    this.taskRetry = new Signal('taskRetry', ofRuns)
    this.taskFailure = new Signal('taskFailure', ofRuns)
    this.taskInternalError = new Signal('taskInternalError', options)
    this.taskReceived = new Signal('taskReceived', options)
    this.taskRevoked = new Signal('taskRevoked', options)
    this.taskUnknown = new Signal('taskUnknown', options)
    this.taskRejected = new Signal('taskRejected', options)
  }

  /** Whether anybody listens to what happens while a task runs: read for every task. @internal */
  get watchesRuns(): boolean {
    return this.#watchesRuns
  }

  #count(): void {
    const { taskFailure, taskPostrun, taskPrerun, taskRetry, taskSuccess } = this
    this.#watchesRuns = [taskPrerun, taskPostrun, taskSuccess, taskRetry, taskFailure].some(
      ({ hasListeners }) => hasListeners,
    )
  }
}
