/** How long a call may run. */
import type { PlannedCall } from '@celery/canvas'
import { TaskOptionError } from './call-errors.ts'
import { areLimitsInOrder } from './limit-order.ts'
import type { TaskOptions } from './task.ts'

/** Seconds; `null` leaves it to the worker. */
export interface CallLimits {
  readonly timeLimit: number | null
  readonly softTimeLimit: number | null
}

const unlimited: CallLimits = { timeLimit: null, softTimeLimit: null }

/** What the call says, else what its task is declared with here. */
export function limitsOf({ options }: PlannedCall, declared: TaskOptions = {}): CallLimits {
  const timeLimit = options.time_limit ?? declared.timeLimit
  const softTimeLimit = options.soft_time_limit ?? declared.softTimeLimit
  if (timeLimit === undefined && softTimeLimit === undefined) return unlimited
  return { timeLimit: timeLimit ?? null, softTimeLimit: softTimeLimit ?? null }
}

/**
 * A slip of whoever sends a call or declares its task. Not asked of what follows from a task that has succeeded, as workers
 * take it: the hard limit is then the only one.
 * @throws TaskOptionError for a soft limit that would never be reached
 */
export function assertLimitsInOrder({ task, options }: PlannedCall, declared: TaskOptions = {}): void {
  assertInOrder(task, options.time_limit, options.soft_time_limit)
  assertInOrder(task, declared.timeLimit, declared.softTimeLimit)
}

/** Limits that are said together. */
function assertInOrder(task: string, hard: number | null | undefined, soft: number | null | undefined): void {
  if (areLimitsInOrder(hard, soft)) return
  throw TaskOptionError.expected(task, 'softTimeLimit', `at most its timeLimit, which is ${hard}`, soft)
}
