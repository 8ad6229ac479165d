import { type Celery, TaskRevokedError, WorkerLostError } from '@celery/app'
import { type TraceInput, type TraceOutcome, taskRequest } from '@celery/app/internal'
import type { ReceivedDelivery } from '@celery/messaging'
import { readTaskId, type WireMessage } from '@celery/protocol'
import type { SettleAction } from '@celery/transport'
import type { TaskMetrics } from './health/task-metrics.ts'
import type { HeldMessages } from './held-messages.ts'
import type { Logger } from './logger.ts'
import type { TaskEnd } from './outcome-settler.ts'

export interface RefusalsOptions {
  readonly app: Celery
  readonly logger: Logger
  readonly held: HeldMessages
  readonly settle: (delivery: ReceivedDelivery, end: Omit<TaskEnd, 'delivery'>) => void
  readonly metrics?: TaskMetrics | undefined
}

/** What becomes of messages that this worker does not run: those who wait for them hear why, and so does the log. */
export class Refusals {
  readonly #options: RefusalsOptions

  constructor(options: RefusalsOptions) {
    this.#options = options
  }

  /** A message that is not a task message, or none at all. Where it has an id, someone may be waiting for it. */
  reject(delivery: ReceivedDelivery, error: Error, taskId?: string): void {
    const { app, logger, metrics, settle } = this.#options
    metrics?.refuse()
    const id = taskId ?? delivery.tag
    const { taskRejected } = app.signals
    if (taskRejected.hasListeners) void taskRejected.send({ sender: delivery.queue, id: taskId, error })
    logger.error(`Rejected message ${id} from queue "${delivery.queue}": ${error.message}`)
    const write = taskId === undefined ? undefined : app.tracer.refusedRecord(taskId, error)
    settle(delivery, { action: { type: 'dead', reason: error.message }, write })
  }

  /** The same, of a message that may say which task it is; in protocol 1 that stands in the body, which may be broken too. */
  rejectMessage(delivery: ReceivedDelivery, error: Error, message: WireMessage): void {
    this.reject(delivery, error, this.#taskId(message))
  }

  /** A task message that nobody here will run: it fails, and is kept with the dead letters. */
  refuse(delivery: ReceivedDelivery, input: TraceInput, error: Error): void {
    const { app, logger, metrics } = this.#options
    metrics?.refuse()
    const { id, task } = input.headers
    logger.error(`Refused ${task}[${id}] from queue "${delivery.queue}": ${error.message}`)
    this.#end(delivery, app.tracer.failed(input, error), { type: 'dead', reason: error.message })
  }

  /** A message that came back more often than it may. */
  refuseReturned(delivery: ReceivedDelivery, input: TraceInput): void {
    const times = delivery.redeliveries
    const problem = `the message came back ${times} times: its workers were lost, or its task timed out or gave it back`
    this.refuse(delivery, input, new WorkerLostError(problem))
  }

  /** A task whose time has passed: it is done with, and not with the dead letters. */
  discardExpired(delivery: ReceivedDelivery, input: TraceInput): void {
    const { app, logger, metrics } = this.#options
    const { id, task } = input.headers
    metrics?.revoked(task)
    logger.info(`Discarding revoked task: ${task}[${id}] (expired)`)
    const reason = new TaskRevokedError('expired')
    const { taskRevoked } = app.signals
    if (taskRevoked.hasListeners) {
      const request = taskRequest(input, undefined)
      void taskRevoked.send({ sender: task, request, reason, expired: true, terminated: false })
    }
    this.#end(delivery, app.tracer.revoked(input, reason))
  }

  #end(delivery: ReceivedDelivery, traced: TraceOutcome | Promise<TraceOutcome>, action?: SettleAction): void {
    const { held, settle } = this.#options
    const end = ({ publish, unreached, write }: TraceOutcome): void =>
      settle(delivery, { action, write, unreached, publish })
    if (traced instanceof Promise) void held.whilePreparing(delivery, traced, end)
    else end(traced)
  }

  #taskId(message: WireMessage): string | undefined {
    const id = readTaskId(message.headers)
    if (id !== undefined || message.headers['task'] !== undefined) return id
    try {
      return readTaskId(this.#options.app.messages.readBody(message))
    } catch {
      return undefined
    }
  }
}
