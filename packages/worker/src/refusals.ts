import { type Celery, NotRegisteredError, TaskRevokedError } from '@celery/app'
import { type TraceInput, taskRequest } from '@celery/app/internal'
import type { ReceivedDelivery } from '@celery/messaging'
import { readTaskId, type WireMessage } from '@celery/protocol'
import type { HeldMessages } from './held-messages.ts'
import type { Logger } from './logger.ts'
import type { TaskEnd } from './outcome-settler.ts'

export interface RefusalsOptions {
  readonly app: Celery
  readonly logger: Logger
  readonly held: HeldMessages
  readonly settle: (delivery: ReceivedDelivery, end: Omit<TaskEnd, 'delivery'>) => void
}

/** What becomes of messages that this worker does not run: those who wait for them hear why, and so does the log. */
export class Refusals {
  readonly #options: RefusalsOptions

  constructor(options: RefusalsOptions) {
    this.#options = options
  }

  /** A message that is not a task message, or none at all. Where it has an id, someone may be waiting for it. */
  reject(delivery: ReceivedDelivery, error: Error, taskId?: string): void {
    const { app, logger, settle } = this.#options
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
    const { app, held, logger, settle } = this.#options
    const { id, task } = input.headers
    logger.error(`Refused ${task}[${id}] from queue "${delivery.queue}": ${error.message}`)
    const action = { type: 'dead', reason: error.message } as const
    const failed = app.tracer.failed(input, error)
    if (failed instanceof Promise) {
      void held.whilePreparing(delivery, failed, ({ write, publish }) => settle(delivery, { action, write, publish }))
    } else settle(delivery, { action, write: failed.write, publish: failed.publish })
  }

  /** A task that is not registered here. */
  refuseUnknown(delivery: ReceivedDelivery, input: TraceInput): void {
    const { app } = this.#options
    const { id, task } = input.headers
    const error = new NotRegisteredError(task, app.closestTask(task))
    const { taskUnknown } = app.signals
    if (taskUnknown.hasListeners) void taskUnknown.send({ sender: task, id, queue: delivery.queue, error })
    this.refuse(delivery, input, error)
  }

  /** A task whose time has passed: it is done with, and not with the dead letters. */
  discardExpired(delivery: ReceivedDelivery, input: TraceInput): void {
    const { app, logger, settle } = this.#options
    const { id, task } = input.headers
    logger.info(`Discarding revoked task: ${task}[${id}] (expired)`)
    const reason = new TaskRevokedError('expired')
    const { taskRevoked } = app.signals
    if (taskRevoked.hasListeners) {
      const request = taskRequest(input, undefined)
      void taskRevoked.send({ sender: task, request, reason, expired: true, terminated: false })
    }
    const { write } = app.tracer.revoked(input, reason)
    settle(delivery, { write })
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
