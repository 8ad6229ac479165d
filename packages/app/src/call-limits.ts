/** How long a call may run. */
import type { PlannedCall } from '@celery/canvas'
import { OPTION_RULES, type OptionRule } from '@celery/protocol'
import { TaskOptionError } from './app-errors.ts'
import type { TaskOptions } from './task.ts'

/** Seconds; `null` leaves it to the worker. */
export interface CallLimits {
  readonly timeLimit: number | null
  readonly softTimeLimit: number | null
}

const unlimited: CallLimits = { timeLimit: null, softTimeLimit: null }

/** What the call says, else what its task is declared with here. @throws TaskOptionError */
export function limitsOf({ task, options }: PlannedCall, declared: TaskOptions = {}): CallLimits {
  assertLimit(task, 'timeLimit', declared.timeLimit)
  assertLimit(task, 'softTimeLimit', declared.softTimeLimit)
  assertInOrder(task, declared.timeLimit, declared.softTimeLimit)
  const timeLimit = options.time_limit ?? declared.timeLimit
  const softTimeLimit = options.soft_time_limit ?? declared.softTimeLimit
  if (timeLimit === undefined && softTimeLimit === undefined) return unlimited
  return { timeLimit: timeLimit ?? null, softTimeLimit: softTimeLimit ?? null }
}

const rule = OPTION_RULES.get('time_limit') as OptionRule

function assertLimit(task: string, option: string, value: number | undefined): void {
  if (value !== undefined && !rule.test(value)) throw TaskOptionError.expected(task, option, rule.expected, value)
}

/** Limits that are said together; 0 is none. @throws TaskOptionError for a soft limit that would never be reached. */
export function assertInOrder(
  task: string,
  timeLimit: number | null | undefined,
  softTimeLimit: number | null | undefined,
): void {
  if (!timeLimit || !softTimeLimit || softTimeLimit <= timeLimit) return
  throw TaskOptionError.expected(task, 'softTimeLimit', `at most its timeLimit, which is ${timeLimit}`, softTimeLimit)
}
