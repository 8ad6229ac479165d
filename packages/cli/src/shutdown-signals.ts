import { CeleryError } from '@celery/promises'
import type { Worker } from '@celery/worker'

export interface ShutdownOptions {
  /** Told of every signal, in a line for people. */
  readonly notify: (message: string) => void
}

/**
 * Runs a worker under the signals Celery defines: TERM and the first INT stop it warmly (running tasks end, the rest
 * goes back to the queue), QUIT and every further signal coldly (at once). Resolves to how it ended.
 */
export async function shutDownOnSignals(worker: Worker, { notify }: ShutdownOptions): Promise<'warm' | 'cold'> {
  let how: 'warm' | 'cold' | undefined
  const stop = (signal: NodeJS.Signals): void => {
    const isCold = how !== undefined || signal === 'SIGQUIT'
    how = isCold ? 'cold' : 'warm'
    notify(`${signal}: ${how} shutdown${signal === 'SIGINT' && !isCold ? ' (again for a cold one)' : ''}`)
    // `closed` below tells how it ended.
    void (isCold ? worker.terminate() : worker.stop()).catch(() => {})
  }
  const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const
  for (const signal of signals) process.on(signal, stop)
  try {
    // A module that never ends loading keeps `start` from settling, but not the worker from being closed.
    await Promise.race([worker.start(), worker.closed])
    await worker.closed
  } catch (error) {
    // Told to stop before it had started, which is no failure.
    if (how === undefined || !CeleryError.is(error, 'ERR_CELERY_BLUEPRINT_STOPPED')) throw error
    await worker.closed
  } finally {
    for (const signal of signals) process.off(signal, stop)
  }
  return how ?? 'warm'
}
