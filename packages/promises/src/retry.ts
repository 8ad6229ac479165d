import { type AbortableOptions, throwIfAborted } from './abort.ts'
import { type Clock, systemClock } from './clock.ts'
import { type RetryPolicy, retryIntervals } from './retry-policy.ts'
import { sleep } from './sleep.ts'

/** What is about to happen when {@link RetryOptions.onRetry} is called. */
export interface RetryEvent {
  /** Why the last try failed. */
  readonly error: unknown
  /** Retries made so far: 0 before the first one. */
  readonly retries: number
  /** Milliseconds until the next try. */
  readonly delayMs: number
}

/** How {@link retry} tries again. */
export interface RetryOptions extends AbortableOptions {
  /** A policy, or simply the seconds to wait before each retry; where they end, it gives up. */
  readonly policy?: RetryPolicy | Iterable<number> | undefined
  /** Whether this failure is worth another try. @defaultValue every failure is */
  readonly retryOn?: ((error: unknown) => boolean) | undefined
  /** Called before each wait, to log it or to repair something. What it throws ends the retrying. */
  readonly onRetry?: ((event: RetryEvent) => void | Promise<void>) | undefined
  /** Milliseconds after the first try began, beyond which no other begins. @defaultValue none */
  readonly deadlineMs?: number | undefined
  /** Whose time counts. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

/**
 * Calls `run` until it succeeds, with waits between; `run` receives how many retries came before.
 *
 * Gives up with the error of the last try, unwrapped: when the policy ends, when `retryOn` says no, or as soon as the
 * next try would begin after the deadline. An abort rejects with `signal.reason` between tries; a running try is
 * waited for, so hand it the same signal. To bound a try that hangs, wrap the whole in `withDeadline`.
 */
export async function retry<T>(run: (retries: number) => PromiseLike<T> | T, options: RetryOptions = {}): Promise<T> {
  const { policy = {}, retryOn, onRetry, deadlineMs, signal, clock = systemClock } = options
  const endMs = deadlineMs === undefined ? Infinity : clock.monotonic() + deadlineMs
  const intervals = (Symbol.iterator in policy ? policy : retryIntervals(policy))[Symbol.iterator]()
  for (let retries = 0; ; retries++) {
    throwIfAborted(signal)
    try {
      return await run(retries)
    } catch (error) {
      throwIfAborted(signal)
      if (retryOn?.(error) === false) throw error
      const interval = intervals.next()
      if (interval.done === true) throw error
      const delayMs = interval.value * 1000
      if (clock.monotonic() + delayMs > endMs) throw error
      await onRetry?.({ error, retries, delayMs })
      // Also for 0: a timer lets the rest of the process run between two tries.
      await sleep(delayMs, { signal, clock })
    }
  }
}
