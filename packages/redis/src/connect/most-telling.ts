import { CeleryError } from '@celery/promises'

/** Whether an error says that this server is out of reach, so that another one may be asked. */
export function isUnavailable(error: unknown): boolean {
  return CeleryError.is(error, 'ERR_CELERY_REDIS_UNAVAILABLE')
}

/** Of several failures the first that will not go away by itself, else the last. */
export function mostTelling(errors: readonly unknown[], otherwise: () => Error): unknown {
  return errors.find((error) => !isUnavailable(error)) ?? errors.at(-1) ?? otherwise()
}
