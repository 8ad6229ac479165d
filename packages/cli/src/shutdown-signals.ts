import { CeleryError } from '@celery/promises'
import type { Worker } from '@celery/worker'

export interface ShutdownOptions {
  /** Told of every signal, in a line for people. */
  readonly notify: (message: string) => void
  /** Seconds that running tasks get before a cold shutdown; 0 for none. @defaultValue `workerSoftShutdownTimeout` */
  readonly softTimeout?: number
  /** @defaultValue `process.env` */
  readonly env?: NodeJS.ProcessEnv
}

type Phase = 'running' | 'warm' | 'soft' | 'cold'

const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const

/**
 * Runs a worker under the signals Celery defines. TERM and the first INT stop it warmly: running tasks end, the rest goes
 * back to the queue. QUIT and every further signal stop it coldly, at once or, with a soft timeout, when that is over; one
 * more during a cold stop ends the process there and then. With `REMAP_SIGTERM=SIGQUIT` TERM is as QUIT. Resolves to how
 * it ended.
 */
export async function shutDownOnSignals(worker: Worker, options: ShutdownOptions): Promise<'warm' | 'cold'> {
  const { notify } = options
  const softTimeout = options.softTimeout ?? worker.app.conf.workerSoftShutdownTimeout
  const isTermRemapped = (options.env ?? process.env).REMAP_SIGTERM === 'SIGQUIT'
  let phase: Phase = 'running'
  const next = (signal: NodeJS.Signals): Phase => {
    const isQuit = signal === 'SIGQUIT' || (signal === 'SIGTERM' && isTermRemapped)
    if (phase === 'running' && !isQuit) return 'warm'
    return softTimeout > 0 && (phase === 'running' || phase === 'warm') ? 'soft' : 'cold'
  }
  const stop = (signal: NodeJS.Signals): void => {
    if (phase === 'cold') {
      notify(`${signal}: hard shutdown`)
      process.exit(1)
    }
    phase = next(signal)
    notify(`${signal}: ${phase} shutdown${hint(phase, signal, softTimeout)}`)
    const stopping =
      phase === 'cold' ? worker.terminate() : worker.stop(phase === 'soft' ? { timeout: softTimeout } : {})
    // `closed` below tells how it ended.
    void stopping.catch(() => {})
  }
  for (const signal of signals) process.on(signal, stop)
  try {
    // A module that never ends loading keeps `start` from settling, but not the worker from being closed.
    await Promise.race([worker.start(), worker.closed])
    await worker.closed
  } catch (error) {
    // Told to stop before it had started, which is no failure.
    if (!isStopping() || !CeleryError.is(error, 'ERR_CELERY_BLUEPRINT_STOPPED')) throw error
    await worker.closed
  } finally {
    for (const signal of signals) process.off(signal, stop)
  }
  return worker.isCold ? 'cold' : 'warm'

  function isStopping(): boolean {
    return phase !== 'running'
  }
}

function hint(phase: Phase, signal: NodeJS.Signals, softTimeout: number): string {
  if (phase === 'warm' && signal === 'SIGINT') return ' (again for a cold one)'
  return phase === 'soft' ? `, terminating in ${softTimeout} seconds` : ''
}
