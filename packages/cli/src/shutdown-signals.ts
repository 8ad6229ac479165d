import type { Worker } from '@celery/worker'

/**
 * Runs a worker under the signals Celery defines: TERM and the first INT stop it warmly (running tasks end, the rest
 * goes back to the queue), QUIT and every further signal coldly (at once). Resolves when it has ended.
 */
export async function shutDownOnSignals(worker: Worker): Promise<void> {
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    const cold = stopping || signal === 'SIGQUIT'
    const again = signal === 'SIGINT' && !cold ? ' (again for a cold one)' : ''
    process.stderr.write(`\ncelery: ${signal}: ${cold ? 'cold' : 'warm'} shutdown${again}\n`)
    stopping = true
    // `closed` below tells how it ended.
    void (cold ? worker.terminate() : worker.stop()).catch(() => {})
  }
  const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const
  for (const signal of signals) process.on(signal, stop)
  try {
    await worker.start()
    await worker.closed
  } finally {
    for (const signal of signals) process.off(signal, stop)
  }
}
