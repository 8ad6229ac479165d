import { CeleryError, exponentialBackoff } from '@celery/promises'
import { formatIsoTime, isWritableTime, parseIsoTime } from '@celery/protocol'
import { TaskOptionError } from './call-errors.ts'
import type { RetryOptions } from './retry-options.ts'
import type { ErrorMatch, TaskOptions } from './task.ts'

/** Celery's `Task.max_retries`. */
export const defaultMaxRetries = 3
/** Celery's `Task.default_retry_delay`, in seconds. */
const defaultRetryDelay = 180

/** What a task asks for by throwing: none of these is an error to try again after. */
const wishes = ['ERR_CELERY_IGNORE', 'ERR_CELERY_REJECT', 'ERR_CELERY_RETRY'] as const

/** How a task that threw `error` is to be retried by its options, or `undefined` where it is not. Never throws. */
export function autoretryOf(options: TaskOptions, error: unknown, retries: number): RetryOptions | undefined {
  const { autoretryFor, dontAutoretryFor, retryBackoff, retryKwargs } = options
  if (autoretryFor === undefined || wishes.some((code) => CeleryError.is(error, code))) return undefined
  if (matches(dontAutoretryFor, error) || !matches(autoretryFor, error)) return undefined
  if (retryBackoff === undefined || retryBackoff === false || retryBackoff === 0) return { ...retryKwargs, exc: error }
  const delay = exponentialBackoff({
    factor: Number(retryBackoff),
    maximum: options.retryBackoffMax,
    jitter: options.retryJitter,
  })
  return { ...retryKwargs, eta: undefined, countdown: delay(retries), exc: error }
}

/** Whether `error` is one of `kinds`: of a class, or as a function says. Never throws: an error may be anything. */
export function matches(kinds: readonly ErrorMatch[] | undefined, error: unknown): boolean {
  if (kinds === undefined) return false
  return kinds.some((kind) => {
    try {
      return isErrorClass(kind) ? error instanceof kind : kind(error) === true
    } catch {
      return false
    }
  })
}

function isErrorClass(kind: ErrorMatch): kind is abstract new (...args: never[]) => Error {
  const { prototype } = kind as { readonly prototype?: unknown }
  return prototype === Error.prototype || prototype instanceof Error
}

/** When the next run is. */
export interface RetryTime {
  /** Milliseconds since 1970; `undefined` at once. */
  readonly etaMs: number | undefined
  /** As `Retry` tells it: seconds, or the moment. */
  readonly when: number | string
}

/** @throws TaskOptionError for what is no time. */
export function retryTime(task: string, given: RetryOptions, options: TaskOptions, nowMs: number): RetryTime {
  const { countdown, eta } = given
  if (eta !== undefined) {
    const etaMs = eta instanceof Date ? eta.getTime() : parseIsoTime(eta)
    if (etaMs === undefined || !isWritableTime(etaMs)) {
      throw TaskOptionError.expected(task, 'eta', 'a Date or an ISO 8601 time of the years 1 to 9999', eta)
    }
    return { etaMs, when: formatIsoTime(etaMs) }
  }
  const seconds = countdown ?? options.defaultRetryDelay ?? defaultRetryDelay
  const etaMs = nowMs + seconds * 1_000
  if (!Number.isFinite(seconds) || !isWritableTime(etaMs)) {
    throw TaskOptionError.expected(task, 'countdown', 'a finite number of seconds, until the year 9999', seconds)
  }
  return { etaMs: seconds > 0 ? etaMs : undefined, when: seconds }
}
