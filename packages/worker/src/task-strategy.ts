import type { Celery, Configuration, TaskOptions } from '@celery/app'
import type { RegisteredTask } from '@celery/app/internal'
import { parseRate } from '@celery/promises'
import { RequestCalls } from './request-calls.ts'

/** How one task's messages are treated: read once from the task and the settings, not for every message. */
export interface TaskStrategy {
  readonly name: string
  readonly acksLate: boolean
  /** With late acks: whether the message goes back when the process died. */
  readonly rejectOnWorkerLost: boolean
  /** With late acks: whether a failed task is acknowledged, else it is dead-lettered. */
  readonly acksOnFailure: boolean
  /** With late acks: what becomes of the message of a task that ran over its hard limit. */
  readonly onTimeout: 'ack' | 'dead' | 'requeue'
  readonly ignoreResult: boolean
  readonly storeErrorsEvenIfIgnored: boolean
  readonly trackStarted: boolean
  /** Seconds. */
  readonly timeLimit: number | undefined
  /** Seconds. */
  readonly softTimeLimit: number | undefined
  /** Starts per second at most, in this worker. */
  readonly rateLimit: number | undefined
  /** What the task wants to be called here. */
  readonly request: RequestCalls | undefined
}

export interface WorkerLimits {
  readonly timeLimit?: number | undefined
  readonly softTimeLimit?: number | undefined
}

/** The task's own options come first, then the worker's, then the settings. */
export function createStrategy(app: Celery, task: RegisteredTask, limits: WorkerLimits): TaskStrategy {
  const { conf } = app
  const { options } = task
  const safe = conf.reliability === 'safe'
  return {
    name: task.name,
    acksLate: options.acksLate ?? (safe || conf.taskAcksLate),
    rejectOnWorkerLost: options.rejectOnWorkerLost ?? (safe || conf.taskRejectOnWorkerLost),
    acksOnFailure: acksOnFailure(options, conf),
    onTimeout: onTimeout(options, conf),
    ignoreResult: options.ignoreResult ?? conf.taskIgnoreResult,
    storeErrorsEvenIfIgnored: options.storeErrorsEvenIfIgnored ?? conf.taskStoreErrorsEvenIfIgnored,
    trackStarted: options.trackStarted ?? conf.taskTrackStarted,
    timeLimit: limit(options.timeLimit ?? limits.timeLimit ?? conf.taskTimeLimit),
    softTimeLimit: limit(options.softTimeLimit ?? limits.softTimeLimit ?? conf.taskSoftTimeLimit),
    request: options.request === undefined ? undefined : new RequestCalls(options.request, app.taskLog),
    rateLimit: conf.workerDisableRateLimits
      ? undefined
      : (parseRate(options.rateLimit ?? conf.taskDefaultRateLimit) ?? undefined),
  }
}

function acksOnFailure(options: TaskOptions, conf: Configuration): boolean {
  const own = options.acksOnFailure ?? options.acksOnFailureOrTimeout
  return own ?? conf.taskAcksOnFailure ?? conf.taskAcksOnFailureOrTimeout
}

/** What is said of timeouts alone requeues, what is said of failures too dead-letters. */
function onTimeout(options: TaskOptions, conf: Configuration): TaskStrategy['onTimeout'] {
  const { acksOnTimeout, acksOnFailureOrTimeout: both } = options
  const alone = acksOnTimeout ?? (both === undefined ? conf.taskAcksOnTimeout : undefined)
  if (alone !== undefined) return alone ? 'ack' : 'requeue'
  return (both ?? conf.taskAcksOnFailureOrTimeout) ? 'ack' : 'dead'
}

/** As in a message: 0 is no limit, so that a task can lift the one that all others have. */
function limit(seconds: number | undefined): number | undefined {
  return seconds === 0 ? undefined : seconds
}
