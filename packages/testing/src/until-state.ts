import { AssertionError } from 'node:assert'
import type { Celery } from '@celery/app'
import { abortable, type Deferred, deferred, withDeadline } from '@celery/promises'
import type { AsyncResult } from '@celery/results'
import { CallSite } from './call-site.ts'

export interface UntilOptions {
  /** Milliseconds of real time. */
  readonly timeoutMs?: number
}

/**
 * Resolves when the task has that state, on whatever store the app has: for tests with processes.
 * @throws AssertionError after `timeoutMs`, by default 10,000
 */
export function untilState(
  app: Celery,
  result: AsyncResult | string,
  state: string,
  { timeoutMs = 10_000 }: UntilOptions = {},
): Promise<void> {
  const site = new CallSite(untilState)
  const id = typeof result === 'string' ? result : result.id
  const handle = app.asyncResult(id)
  let changed: Deferred<void> = deferred()
  let actual = 'PENDING'
  const reached = async (signal: AbortSignal): Promise<void> => {
    const store = await app.backend()
    await using _watch = await store.watch([id], () => changed.resolve(), { signal })
    while (!signal.aborted) {
      changed = deferred()
      actual = await handle.state()
      if (actual === state) return
      await abortable(changed.promise, signal)
    }
  }
  return withDeadline(reached, timeoutMs, () => {
    const message = `task ${id} did not become ${state} within ${timeoutMs} ms, it is ${actual}`
    return site.of(new AssertionError({ message, actual, expected: state, operator: 'untilState' }))
  })
}
