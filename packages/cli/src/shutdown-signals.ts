import { CeleryError } from '@celery/promises'
import type { Worker } from '@celery/worker'
import { watchRunner } from './watch-runner.ts'

export interface ShutdownOptions {
  /** Told of every signal, in a line for people. */
  readonly notify: (message: string) => void
  /** Told of every signal that changes how the worker stops. */
  readonly onStop?: (stop: Stop) => void
  /** Seconds that running tasks get before a cold shutdown; 0 for none. @defaultValue `workerSoftShutdownTimeout` */
  readonly softTimeout?: number
  /** Called when the worker has loaded its modules, before it starts. */
  readonly onLoaded?: () => Promise<void>
  /** @defaultValue `process.env` */
  readonly env?: NodeJS.ProcessEnv
  /** Milliseconds on a monotonic clock. @defaultValue `performance.now` */
  readonly now?: () => number
}

interface Stop {
  readonly signal: NodeJS.Signals
  readonly how: Exclude<Phase, 'running'>
  /** What the process is going to end with. */
  readonly exitCode: number
}

type Phase = 'running' | 'warm' | 'soft' | 'cold'

const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const

/**
 * Milliseconds in which the same signal again is the same wish: npx passes on to its child what the terminal or the
 * supervisor has sent to both.
 */
const sameWishMs = 100

/**
 * Runs a worker under the signals Celery defines. TERM and the first INT stop it warmly: running tasks end, the rest goes
 * back to the queue. QUIT and every further signal stop it coldly, at once or, with a soft timeout, when that is over; one
 * more during a cold stop ends the process there and then. The same signal within 100 ms counts once. With
 * `REMAP_SIGTERM=SIGQUIT` TERM is as QUIT. When the npx that started it is gone, that is as TERM. Resolves to how it ended.
 */
export async function shutDownOnSignals(worker: Worker, options: ShutdownOptions): Promise<'warm' | 'cold'> {
  const { notify, now = () => performance.now(), onLoaded } = options
  const env = options.env ?? process.env
  const softTimeout = options.softTimeout ?? worker.app.conf.workerSoftShutdownTimeout
  const isTermRemapped = env.REMAP_SIGTERM === 'SIGQUIT'
  let phase: Phase = 'running'
  const next = (signal: NodeJS.Signals): Stop['how'] => {
    const isQuit = signal === 'SIGQUIT' || (signal === 'SIGTERM' && isTermRemapped)
    if (phase === 'running' && !isQuit) return 'warm'
    return softTimeout > 0 && (phase === 'running' || phase === 'warm') ? 'soft' : 'cold'
  }
  let last: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
  const isRepeated = (signal: NodeJS.Signals): boolean => {
    const at = now()
    if (last?.signal === signal && at - last.at < sameWishMs) return true
    last = { signal, at }
    return false
  }
  const stop = (signal: NodeJS.Signals): void => {
    if (isRepeated(signal)) return
    if (phase === 'cold') {
      notify(`${signal}: hard shutdown`)
      process.exit(1)
    }
    const how = next(signal)
    phase = how
    notify(`${signal}: ${how} shutdown${hint(how, signal, softTimeout)}`)
    options.onStop?.({ signal, how, exitCode: how === 'cold' ? 1 : 0 })
    const stopping =
      phase === 'cold' ? worker.terminate() : worker.stop(phase === 'soft' ? { timeout: softTimeout } : {})
    // `closed` below tells how it ended.
    void stopping.catch(() => {})
  }
  const run = async (): Promise<void> => {
    await worker.load()
    if (!isStopping()) await onLoaded?.()
    await worker.start()
  }
  for (const signal of signals) process.on(signal, stop)
  using _watch = watchRunner(env, (runner) => {
    // Its end is news only where it has passed nothing on.
    if (isStopping()) return
    notify(`${runner}, which started this, has ended`)
    stop('SIGTERM')
  })
  try {
    // A module that never ends loading keeps `start` from settling, but not the worker from being closed.
    await Promise.race([run(), worker.closed])
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
