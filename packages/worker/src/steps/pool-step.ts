import type { Step } from '@celery/bootsteps'
import { throwIfAborted } from '@celery/promises'
import { createPool } from '../pools/create-pool.ts'
import type { WorkerContext } from '../worker-context.ts'

/** Where tasks run. */
export const poolStep: Step<WorkerContext> = {
  name: 'pool',
  requires: ['settling'],

  async start(worker, { signal }) {
    const pool = await createPool(worker, { onReady: () => worker.consumer?.wake() })
    throwIfAborted(signal)
    worker.pool = pool
    // A module that takes long to load, or never ends loading, must not hold up a stop.
    const give = (): void => void pool.terminate()
    signal.addEventListener('abort', give, { once: true })
    await pool.start()
    signal.removeEventListener('abort', give)
  },

  async stop({ pool }) {
    await pool?.stop()
  },

  async terminate({ pool }) {
    await pool?.terminate()
  },
}
