import type { Exchange, PublishRetryPolicy, Queue } from '@celery/messaging'
import type { TaskMessage, TaskMessageV1 } from '@celery/protocol'
import type { Retry } from './run-requests.ts'
import { Signal, type SignalEvent } from './signal.ts'
import type { TaskRequest } from './task-request.ts'
import type {
  WorkerEvent,
  WorkerProcessEvent,
  WorkerProcessShutdownEvent,
  WorkerShuttingDownEvent,
} from './worker-signals.ts'

/** About a call that is being sent. */
export interface BeforeTaskPublishEvent extends SignalEvent {
  /** May be changed, as everything that is not said to be read only. */
  exchange: string
  routingKey: string
  /** The arguments and what follows, before they are encoded: a list, in protocol 1 an object. */
  readonly body: TaskMessage['body'] | TaskMessageV1['body']
  readonly headers: Record<string, unknown>
  readonly properties: Record<string, unknown>
  /** What is made before it is sent, if it is not there. */
  readonly declare: (Exchange | Queue)[]
  /** How often and when sending is tried again; `null` is never. */
  retryPolicy: PublishRetryPolicy | null
}

/** About a call that the broker has. */
export interface AfterTaskPublishEvent extends SignalEvent {
  readonly exchange: string
  readonly routingKey: string
  readonly headers: Readonly<Record<string, unknown>>
  /** As it was before it was encoded. */
  readonly body: TaskMessage['body'] | TaskMessageV1['body']
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
  /**
   * Before a call is sent, by whoever sends it: a worker, where it follows from a task. Receivers may change headers,
   * properties and where it goes.
   */
  readonly beforeTaskPublish: Signal<BeforeTaskPublishEvent>
  /** When the broker has a call that a program or a task has sent; not for what a worker sends when a task has ended. */
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
  /** A worker got a task that it does not know. Of a message that is requeued for it, only the first worker says so. */
  readonly taskUnknown: Signal<TaskUnknownEvent>
  /** A worker got what is no task message. */
  readonly taskRejected: Signal<TaskRejectedEvent>
  /** Before a worker starts, when its tasks are loaded. */
  readonly workerInit: Signal<WorkerEvent>
  /** A worker takes tasks from now on. */
  readonly workerReady: Signal<WorkerEvent>
  /** A process that runs a worker was told to end it: by the command `celery worker`. */
  readonly workerShuttingDown: Signal<WorkerShuttingDownEvent>
  /** A worker has ended. */
  readonly workerShutdown: Signal<WorkerEvent>
  /** In each process of a pool, before its first task: the place to open what a process has for itself. Also of `threads`, in each thread, and of `solo`. */
  readonly workerProcessInit: Signal<WorkerProcessEvent>
  /** In each process of a pool that is let go; not in one that is killed. */
  readonly workerProcessShutdown: Signal<WorkerProcessShutdownEvent>
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
    this.workerInit = new Signal('workerInit', options)
    this.workerReady = new Signal('workerReady', options)
    this.workerShuttingDown = new Signal('workerShuttingDown', options)
    this.workerShutdown = new Signal('workerShutdown', options)
    this.workerProcessInit = new Signal('workerProcessInit', options)
    this.workerProcessShutdown = new Signal('workerProcessShutdown', options)
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
