import { CeleryError } from '@celery/promises'
import { autoretryOf } from './retry-policy.ts'
import type { PlannedRetry, ThrownEnd } from './run-end.ts'
import type { RunningTask } from './running-task.ts'

/** What it comes to that a task threw: it may ask for something by it, or be retried by its options. */
export function thrownEnd(run: RunningTask, thrown: unknown): ThrownEnd {
  const error = isAborted(thrown, run.signal) ? run.signal.reason : thrown
  const wish = wishOf(error)
  if (wish !== undefined) return { ...wish, result: error }
  if (run.planned !== undefined && error === run.planned.error) return { state: 'RETRY', ...run.planned }
  const retry = autoretryOf(run.task.options, error, run.request.retries)
  if (retry === undefined) return { state: 'FAILURE', result: error }
  try {
    run.retry({ ...retry, throw: false })
  } catch (final) {
    return { state: 'FAILURE', result: final }
  }
  return { state: 'RETRY', ...(run.planned as PlannedRetry) }
}

/**
 * Whether it is an AbortError, as Node's own functions make it of the reason of the signal that they are given (`fetch` and
 * `throwIfAborted` throw the reason itself). Either way the soft time limit is why the task ended.
 */
function isAborted(thrown: unknown, signal: AbortSignal): boolean {
  try {
    return signal.aborted && thrown instanceof Error && thrown.name === 'AbortError' && thrown.cause === signal.reason
  } catch {
    return false
  }
}

function wishOf(
  error: unknown,
): { readonly state: 'IGNORED' } | { readonly state: 'REJECTED'; readonly requeue: boolean } | undefined {
  try {
    if (CeleryError.is(error, 'ERR_CELERY_IGNORE')) return { state: 'IGNORED' }
    if (!CeleryError.is(error, 'ERR_CELERY_REJECT')) return undefined
    return { state: 'REJECTED', requeue: (error as { requeue?: boolean }).requeue === true }
  } catch {
    // A proxy, or a getter that throws: it fails like any other error.
    return undefined
  }
}
