import { type Celery, TimeLimitExceededError, WorkerLostError } from '@celery/app'
import { messageCopy, type TraceOutcome } from '@celery/app/internal'
import type { ReceivedDelivery } from '@celery/messaging'
import { deadLetterQueue, type SettleAction } from '@celery/transport'
import type { ActiveTask } from './active-task.ts'
import type { CompletedTasks } from './completed-tasks.ts'
import type { TaskMetrics } from './health/task-metrics.ts'
import type { Logger } from './logger.ts'
import type { TaskEnd } from './outcome-settler.ts'
import { OutcomeUntoldError } from './outcome-untold-error.ts'
import type { JobResult } from './pools/task-pool.ts'
import { logOutcome } from './task-log.ts'

export interface TaskEndingsOptions {
  readonly app: Celery
  readonly logger: Logger
  /** Told what has succeeded and leaves nothing to be stored. */
  readonly completed: CompletedTasks | undefined
  /** Whether the worker is ending its running tasks on purpose. */
  readonly isCold: () => boolean
  /** Whether the broker can hold a message back until its time. */
  readonly canPark: boolean
  readonly metrics?: TaskMetrics | undefined
  /** The task is over, and this is left to do. */
  readonly finish: (task: ActiveTask, end: TaskEnd) => void
  /** Its message goes back, unless it was acknowledged early. */
  readonly release: (task: ActiveTask, action: SettleAction) => void
}

/** Milliseconds for which a message waits that has taken two processes with it; after each further one twice as long, */
const firstPauseMs = 2_000
/** and at most this. */
const longestPauseMs = 30_000

type Lost = Extract<JobResult, { readonly type: 'lost' }>

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
        this.#lost(task, result)
        break
      case 'untold':
        this.#untold(task, result.reason)
        break
      case 'timeout':
        this.#timedOut(task, result.limit, result.stuck)
    }
  }

  /** It could not be run, as turned out when its message had been acknowledged. */
  refuse(task: ActiveTask, error: Error): void {
    this.#whenFailed(task, error, (outcome) => this.#ended(task, { ...outcome, dead: error.message }))
  }

  #ended(task: ActiveTask, outcome: TraceOutcome): void {
    const { completed, finish, logger, metrics } = this.#options
    const { dead, publish, unreached, write } = outcome
    if (dead !== undefined) {
      metrics?.refuse()
      logger.error(`Refused ${task.title} from queue "${task.delivery.queue}": ${dead}`)
      this.#bury(task, outcome, dead)
      return
    }
    logOutcome(logger, task, outcome)
    metrics?.ended(task.name, outcome.state, outcome.runtime)
    if (outcome.state === 'FAILURE') tellFailed(task, outcome.text, outcome.traceback)
    // Of a result that is still to be stored only the store can say that it is there.
    if (outcome.state === 'SUCCESS' && write === undefined) completed?.add(task.id)
    const delivery = unsettled(task)
    const action = actionOf(task, outcome)
    // What comes back has not failed. An early ack leaves nothing to come back.
    const comesBack = action?.type === 'requeue' && delivery !== undefined
    const kept = comesBack ? undefined : { write, unreached }
    finish(task, { task, delivery, action, ...kept, publish })
  }

  /** It cannot be run by anyone. An early ack took the message already: a copy goes to the dead letters. */
  #bury(task: ActiveTask, outcome: TraceOutcome, reason: string): void {
    const { finish } = this.#options
    const { publish, unreached, write } = outcome
    if (task.acknowledged === undefined) {
      finish(task, { task, delivery: task.delivery, action: { type: 'dead', reason }, write, unreached, publish })
      return
    }
    const copy = {
      exchange: '',
      routingKey: deadLetterQueue(task.delivery.queue),
      message: messageCopy(task.readInput(), { 'x-celery-dead-reason': reason }),
    }
    finish(task, { task, write, unreached, publish: [...(publish ?? []), copy] })
  }

  #lost(task: ActiveTask, { ranBy = 'the process that ran the task', reason }: Lost): void {
    const { isCold, logger, release } = this.#options
    const { strategy } = task
    const error = new WorkerLostError(`${ranBy} ended before it: ${reason}`)
    logger.error(`Task ${task.title} lost: ${error.message}`)
    if (strategy.acksLate && isCold()) {
      release(task, { type: 'requeue', counted: true })
      return
    }
    if (strategy.acksLate && strategy.rejectOnWorkerLost) {
      release(task, this.#comeBack(task))
      return
    }
    this.#fail(task, error, undefined)
  }

  /**
   * The first time at once: mostly it was not the task's fault. One that kills its process again would soon have all of
   * them starting and none running, so it waits then, each time for longer.
   */
  #comeBack({ delivery: { redeliveries } }: ActiveTask): SettleAction {
    const { app, canPark } = this.#options
    // The last time it comes back to be buried.
    if (!canPark || redeliveries === 0 || redeliveries >= app.conf.maxRedeliveries) {
      return { type: 'requeue', counted: true }
    }
    const pauseMs = Math.min(firstPauseMs * 2 ** (redeliveries - 1), longestPauseMs)
    return { type: 'park', untilMs: app.clock.now() + pauseMs, counted: true }
  }

  /** It fails, wherever the message of a lost one would come back: its process lives, and would end it in the same way again. */
  #untold(task: ActiveTask, reason: string): void {
    const error = new OutcomeUntoldError(reason)
    this.#options.logger.error(`Task ${task.title} fails: ${error.message}`)
    this.#fail(task, error, task.strategy.acksOnFailure ? undefined : { type: 'dead', reason: error.message })
  }

  #timedOut(task: ActiveTask, limit: number, stuck: boolean): void {
    const { logger, release } = this.#options
    const { onTimeout, request } = task.strategy
    const error = new TimeLimitExceededError(limit)
    logger.error(`Task ${task.title} ran over its hard time limit of ${limit}s${stuck ? ' and is stuck' : ''}`)
    request?.timedOut(task.readInput(), { soft: false, limit })
    // What comes back has not failed: whoever waits for it, or is called back, hears when its message is over.
    if (onTimeout === 'requeue' && unsettled(task) !== undefined) release(task, { type: 'requeue', counted: true })
    else this.#fail(task, error, onTimeout === 'dead' ? { type: 'dead', reason: error.message } : undefined)
  }

  #fail(task: ActiveTask, error: Error, action: SettleAction | undefined): void {
    this.#options.metrics?.failed(task.name)
    this.#whenFailed(task, error, ({ publish, text, unreached, write }) => {
      tellFailed(task, text)
      this.#options.finish(task, { task, delivery: unsettled(task), action, write, unreached, publish })
    })
  }

  #whenFailed(task: ActiveTask, error: Error, end: (outcome: TraceOutcome) => void): void {
    const failed = this.#options.app.tracer.failed(task.readInput(), error)
    if (failed instanceof Promise) void failed.then(end).catch((problem: unknown) => this.#unfinished(task, problem))
    else end(failed)
  }

  /** Nobody waits for it, so it must neither end the worker nor keep its slot. A message that has gone is not missed again. */
  #unfinished(task: ActiveTask, problem: unknown): void {
    const { logger, release } = this.#options
    logger.error(`The end of task ${task.title} could not be told: ${String(problem)}`)
    release(task, { type: 'requeue', counted: true })
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
