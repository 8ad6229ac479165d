/** How often and how slowly to try again, with Celery's names and units (`retry_policy`). */
export interface RetryPolicy {
  /** Tries after the first one; `null` tries for ever. @defaultValue `3` */
  readonly maxRetries?: number | null | undefined
  /** Seconds before the first retry. @defaultValue `0` */
  readonly intervalStart?: number | undefined
  /** Seconds by which each wait is longer than the one before. @defaultValue `0.2` */
  readonly intervalStep?: number | undefined
  /** Seconds that no wait exceeds. @defaultValue `1` */
  readonly intervalMax?: number | undefined
}

/** Celery's `task_publish_retry_policy`: at once, then 0.2 s later, then 0.4 s later, then give up. */
export const defaultRetryPolicy: Readonly<Record<keyof RetryPolicy, number>> = {
  maxRetries: 3,
  intervalStart: 0,
  intervalStep: 0.2,
  intervalMax: 1,
}

/**
 * The seconds to wait before each retry; it ends when it is time to give up.
 *
 * Each loop over it starts anew. `intervalMax` is a ceiling; kombu lets waits grow to `interval_start` above it.
 *
 * @throws RangeError if a number of the policy is negative or not a number.
 */
export function retryIntervals(policy: RetryPolicy = {}): Iterable<number> {
  const maxRetries = atLeastZero('maxRetries', maxRetriesOf(policy))
  const start = atLeastZero('intervalStart', policy.intervalStart ?? defaultRetryPolicy.intervalStart)
  const step = atLeastZero('intervalStep', policy.intervalStep ?? defaultRetryPolicy.intervalStep)
  const max = atLeastZero('intervalMax', policy.intervalMax ?? defaultRetryPolicy.intervalMax)
  return {
    *[Symbol.iterator]() {
      // Multiplied, not added up: the rounding errors of thousands of steps would add up too.
      for (let retries = 0; retries < maxRetries; retries++) yield Math.min(max, start + retries * step)
    },
  }
}

function maxRetriesOf({ maxRetries = defaultRetryPolicy.maxRetries }: RetryPolicy): number {
  return maxRetries ?? Number.POSITIVE_INFINITY
}

function atLeastZero(name: keyof RetryPolicy, value: number): number {
  if (value >= 0) return value
  throw new RangeError(`${name} of a retry policy must be 0 or more, got ${value}`)
}
