import type { Retry } from './run-requests.ts'
import type { TaskContext } from './task-context.ts'
import { methodOf } from './task-methods.ts'

/**
 * Called in the process that runs the task. The context stands where Celery has the id, the arguments and the
 * traceback. What they return is ignored, and awaited if it is a promise. What they throw is logged and changes nothing,
 * but for `beforeStart`. The outcome is decided then; what it stores and sends leaves when the last of them is done.
 */
export interface TaskHandlers {
  /** Before the function. What it throws, the task has thrown: it fails, is retried, ignored or rejected. */
  beforeStart?(context: TaskContext): void | Promise<void>
  onSuccess?(result: unknown, context: TaskContext): void | Promise<void>
  onFailure?(error: unknown, context: TaskContext): void | Promise<void>
  /** It will run again; `retry.exc` is why. */
  onRetry?(retry: Retry, context: TaskContext): void | Promise<void>
  /** After `onSuccess` or `onFailure`, with the result or the error; not after a retry, or where it was ignored or rejected. */
  afterReturn?(state: 'SUCCESS' | 'FAILURE', result: unknown, context: TaskContext): void | Promise<void>
}

const names = ['beforeStart', 'onSuccess', 'onFailure', 'onRetry', 'afterReturn'] as const

/** The handlers of a task, as `methodOf` finds them; `undefined` where there are none. */
export function handlersOf(sources: readonly (object | undefined)[]): TaskHandlers | undefined {
  let found: Record<string, unknown> | undefined
  for (const name of names) {
    const handler = methodOf(name, sources)
    if (handler === undefined) continue
    found ??= {}
    found[name] = handler
  }
  return found as TaskHandlers | undefined
}
