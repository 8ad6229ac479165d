import { type AbortableOptions, CeleryError, sleep } from '@celery/promises'

export interface BusyRetryOptions extends AbortableOptions {
  /** Milliseconds after which the last `DatabaseBusyError` is passed on. @defaultValue `5_000` */
  readonly deadlineMs?: number
}

/**
 * Runs synchronous database work, and runs it again after a pause for as long as another process has the file locked.
 * The pauses are ours and asynchronous, so that waiting for a lock never stops the event loop. They are random and
 * grow from 1 to 25 ms, so that many processes spread out.
 * @throws DatabaseBusyError when it was still locked at the deadline; `signal.reason` when aborted between two attempts.
 */
export async function withBusyRetry<T>(run: () => T, options: BusyRetryOptions = {}): Promise<T> {
  const { signal, deadlineMs = 5_000 } = options
  signal?.throwIfAborted()
  const started = performance.now()
  for (let attempt = 0; ; attempt++) {
    try {
      return run()
    } catch (error) {
      if (!CeleryError.is(error, 'ERR_CELERY_DATABASE_BUSY')) throw error
      const left = deadlineMs - (performance.now() - started)
      if (left <= 0) throw error
      const longest = Math.min(25, 2 ** attempt)
      await sleep(Math.min(left, longest * (0.5 + Math.random() / 2)), { signal })
    }
  }
}
