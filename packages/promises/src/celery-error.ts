/**
 * The root of every error that a Celery package throws on purpose.
 *
 * Two copies of a package can be installed side by side, so ask {@link CeleryError.is} or compare `code`;
 * `instanceof` only sees the copy it was imported from.
 *
 * A mistake in the calling code, such as a negative size, throws the language's own `RangeError` or `TypeError`.
 */
export abstract class CeleryError extends Error {
  /** Stable, for programs: `ERR_CELERY_…`. The sentence in `message` may change in any release. */
  abstract readonly code: string

  /** Whether `error` comes from any installed copy of a Celery package and, if given, has this `code`. */
  static is(error: unknown, code?: string): error is CeleryError {
    if (!(error instanceof Error) || !(Symbol.for('celery.error') in error)) return false
    return code === undefined || (error as CeleryError).code === code
  }

  static {
    Object.defineProperty(CeleryError.prototype, Symbol.for('celery.error'), { value: true })
  }
}
