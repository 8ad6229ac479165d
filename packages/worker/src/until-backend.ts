import type { Celery } from '@celery/app'
import type { ResultBackend } from '@celery/backend'
import { type AbortableOptions, abortable, CeleryError, growingPause, sleep } from '@celery/promises'

export interface UntilBackendOptions extends AbortableOptions {
  /** The store cannot be reached; it is tried again in so many milliseconds. */
  readonly onError: (error: CeleryError, retryInMs: number) => void
}

/**
 * The result store, as soon as it can be reached: a worker that starts while it is away waits, as it does for its broker.
 * Resolves to `undefined` where results are not kept.
 * @throws whatever does not mend by waiting: a URL that cannot be read, a password that is wrong
 */
export async function untilBackend(app: Celery, options: UntilBackendOptions): Promise<ResultBackend | undefined> {
  const { signal, onError } = options
  for (let retries = 0; ; retries++) {
    try {
      return await abortable(app.backendIfConfigured({ once: true }), signal)
    } catch (error) {
      if (!CeleryError.is(error, 'ERR_CELERY_BACKEND_UNAVAILABLE')) throw error
      const retryInMs = pauseMs(retries)
      onError(error, retryInMs)
      await sleep(retryInMs, { signal, clock: app.clock })
    }
  }
}

/** As for a broker: recovery within 5 s of its return, whatever the outage lasted. */
const pauseMs = growingPause({ firstMs: 100, longestMs: 1_500 })
