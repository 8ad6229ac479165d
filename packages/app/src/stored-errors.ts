import type { ErrorRegistry } from '@celery/protocol'
import { NotRegisteredError, TaskArgumentsError } from './call-errors.ts'
import {
  MaxRetriesExceededError,
  SoftTimeLimitExceededError,
  TaskRevokedError,
  TimeLimitExceededError,
  WorkerLostError,
} from './run-errors.ts'
import { Reject, Retry } from './run-requests.ts'

/** Maps our errors to the classes Python has for the same thing, so that each side sees its own (wire 5.2). */
export function registerCeleryErrors(errors: ErrorRegistry): void {
  const billiard = 'billiard.exceptions'
  const celery = 'celery.exceptions'
  errors
    .register(WorkerLostError, {
      type: 'WorkerLostError',
      module: billiard,
      fromArgs: ([text]) => new WorkerLostError(String(text)),
    })
    .register(TimeLimitExceededError, {
      type: 'TimeLimitExceeded',
      module: billiard,
      toArgs: (error) => [error.limit],
      fromArgs: ([limit]) => new TimeLimitExceededError(Number(limit)),
    })
    .register(SoftTimeLimitExceededError, {
      type: 'SoftTimeLimitExceeded',
      module: billiard,
      toArgs: ({ limit }) => (limit === undefined ? [] : [limit]),
      fromArgs: ([limit]) => new SoftTimeLimitExceededError(typeof limit === 'number' ? limit : undefined),
    })
    .register(TaskRevokedError, {
      type: 'TaskRevokedError',
      module: celery,
      fromArgs: ([text]) => new TaskRevokedError(String(text)),
    })
    .register(NotRegisteredError, {
      type: 'NotRegistered',
      module: celery,
      toArgs: (error) => [error.task],
      fromArgs: ([task]) => new NotRegisteredError(String(task), undefined, 'worker'),
    })
  errors
    .register(MaxRetriesExceededError, {
      type: 'MaxRetriesExceededError',
      module: celery,
      fromArgs: ([text]) => new MaxRetriesExceededError(String(text)),
    })
    .register(Reject, {
      type: 'Reject',
      module: celery,
      toArgs: ({ message, requeue }) => [message, requeue],
      fromArgs: ([reason, requeue]) => new Reject(String(reason), { requeue: requeue === true }),
    })
    .register(Retry, {
      type: 'Retry',
      module: celery,
      toArgs: (error) => [error.message],
      fromArgs: ([text]) => new Retry({ message: String(text) }),
    })
  // Python's counterpart is a plain TypeError, which is also what it stores.
  errors.register(TaskArgumentsError, {
    type: 'TypeError',
    module: 'builtins',
    toArgs: (error) => [error.message],
    fromArgs: ([text]) => new TypeError(String(text)) as TaskArgumentsError & TypeError,
  })
}
