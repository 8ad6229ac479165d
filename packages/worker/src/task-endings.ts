import { type Celery, TimeLimitExceededError, WorkerLostError } from '@celery/app'
import type { TraceOutcome } from '@celery/app/internal'
import type { ReceivedDelivery } from '@celery/messaging'
import { deadLetterQueue, type SettleAction } from '@celery/transport'
import type { ActiveTask } from './active-task.ts'
import type { CompletedTasks } from './completed-tasks.ts'
import type { Logger } from './logger.ts'
import type { TaskEnd } from './outcome-settler.ts'
import type { JobResult } from './pools/task-pool.ts'
import { logOutcome } from './task-log.ts'
import { whenThere } from './when-there.ts'

export interface TaskEndingsOptions {
  readonly app: Celery
  readonly logger: Logger
  /** Told what has succeeded and leaves nothing to be stored. */
  readonly completed: CompletedTasks | undefined
  /** Whether the worker is ending its running tasks on purpose. */
  readonly isCold: () => boolean
  /** The task is over, and this is left to do. */
  readonly finish: (task: ActiveTask, end: TaskEnd) => void
  /** Its message goes back, unless it was acknowledged early. */
  readonly release: (task: ActiveTask, action: SettleAction) => void
}

/** Says what is to be done when the pool is through with a task, whichever way it ended. */
export class TaskEndings {
  readonly #options: TaskEndingsOptions

  constructor(options: TaskEndingsOptions) {
    this.#options = options
  }

  done(task: ActiveTask, result: JobResult): void {
    switch (result.type) {
      case 'outcome':
        this.#ended(task, result.outcome)
        break
      case 'recalled':
        this.#options.release(task, { type: 'requeue', counted: false })
        break
      case 'lost':
        this.#lost(task, result.reason)
        break
      case 'timeout':
        this.#timedOut(task, result.limit, result.stuck)
    }
  }

  #ended(task: ActiveTask, outcome: TraceOutcome): void {
    const { completed, finish, logger } = this.#options
    const { dead, publish, write } = outcome
    if (dead !== undefined) {
      logger.error(`Refused ${task.title} from queue "${task.delivery.queue}": ${dead}`)
      this.#bury(task, outcome, dead)
      return
    }
    logOutcome(logger, task, outcome)
    if (outcome.state === 'FAILURE') tellFailed(task, outcome.text, outcome.traceback)
    // Of a result that is still to be stored only the store can say that it is there.
    if (outcome.state === 'SUCCESS' && write === undefined) completed?.add(task.id)
    const delivery = unsettled(task)
    const action = actionOf(task, outcome)
    // What comes back has not failed. An early ack leaves nothing to come back.
    const comesBack = action?.type === 'requeue' && delivery !== undefined
    finish(task, { delivery, action, write: comesBack ? undefined : write, publish })
  }

  /** It cannot be run by anyone. An early ack took the message already: a copy goes to the dead letters. */
  #bury(task: ActiveTask, outcome: TraceOutcome, reason: string): void {
    const { finish } = this.#options
    const { publish, write } = outcome
    if (task.acknowledged === undefined) {
      finish(task, { delivery: task.delivery, action: { type: 'dead', reason }, write, publish })
      return
    }
    const { headers, body, contentType, contentEncoding, replyTo } = task.readInput()
    const copy = {
      exchange: '',
      routingKey: deadLetterQueue(task.delivery.queue),
      message: {
        body,
        contentType,
        contentEncoding,
        headers: { ...headers, 'x-celery-dead-reason': reason },
        properties: {
          correlation_id: headers.id,
          delivery_mode: 2 as const,
          ...(replyTo === undefined ? {} : { reply_to: replyTo }),
        },
      },
    }
    finish(task, { write, publish: [...(publish ?? []), copy] })
  }

  #lost(task: ActiveTask, reason: string): void {
    const { isCold, logger, release } = this.#options
    const { strategy } = task
    const error = new WorkerLostError(`the process that ran the task ended before it: ${reason}`)
    logger.error(`Task ${task.title} lost: ${error.message}`)
    if (strategy.acksLate && (strategy.rejectOnWorkerLost || isCold())) {
      release(task, { type: 'requeue', counted: true })
      return
    }
    this.#fail(task, error, undefined)
  }

  #timedOut(task: ActiveTask, limit: number, stuck: boolean): void {
    const error = new TimeLimitExceededError(limit)
    this.#options.logger.error(
      `Task ${task.title} ran over its hard time limit of ${limit}s${stuck ? ' and is stuck' : ''}`,
    )
    const actions = {
      ack: undefined,
      dead: { type: 'dead', reason: error.message },
      requeue: { type: 'requeue', counted: true },
    } as const
    task.strategy.request?.timedOut(task.readInput(), { soft: false, limit })
    this.#fail(task, error, actions[task.strategy.onTimeout])
  }

  #fail(task: ActiveTask, error: Error, action: SettleAction | undefined): void {
    const { app, finish } = this.#options
    whenThere(app.tracer.failed(task.readInput(), error), ({ text, write, publish }) => {
      tellFailed(task, text)
      finish(task, { delivery: unsettled(task), action, write, publish })
    })
  }
}

/** What the outcome wants of the message, where it is not to be acknowledged. */
function actionOf({ strategy }: ActiveTask, { requeue, state, text }: TraceOutcome): SettleAction | undefined {
  if (state === 'REJECTED' && requeue === true) return { type: 'requeue', counted: true }
  const isDead = state === 'REJECTED' || (state === 'FAILURE' && !strategy.acksOnFailure)
  return isDead ? { type: 'dead', reason: text } : undefined
}

function tellFailed(task: ActiveTask, reason: string, traceback?: string): void {
  task.strategy.request?.failed(task.readInput(), { reason, traceback })
}

/** The delivery, unless it was acknowledged early. */
function unsettled({ acknowledged, delivery }: ActiveTask): ReceivedDelivery | undefined {
  return acknowledged === undefined ? delivery : undefined
}
