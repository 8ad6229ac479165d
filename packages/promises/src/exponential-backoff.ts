/** How {@link exponentialBackoff} grows. */
export interface ExponentialBackoffOptions {
  /** Seconds before the first retry, at least 1; fractions are cut off. @defaultValue `1` */
  readonly factor?: number | undefined
  /** Seconds that no wait exceeds. @defaultValue `600` */
  readonly maximum?: number | undefined
  /** Waits a random whole number of seconds from 0 to the computed one, so that clients spread out. @defaultValue `true` */
  readonly jitter?: boolean | undefined
  /** A number from 0 up to, not including, 1. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined
}

/**
 * The seconds to wait after so many retries, as Celery's `retry_backoff`, `retry_backoff_max` and `retry_jitter`:
 * `factor × 2^retries`, no more than `maximum`, then full jitter.
 */
export function exponentialBackoff(options: ExponentialBackoffOptions = {}): (retries: number) => number {
  const { maximum = 600, jitter = true, random = Math.random } = options
  const factor = Math.trunc(Math.max(1, options.factor ?? 1))
  return (retries) => {
    const seconds = Math.max(0, Math.min(maximum, factor * 2 ** retries))
    return jitter ? Math.floor(random() * (Math.floor(seconds) + 1)) : seconds
  }
}
