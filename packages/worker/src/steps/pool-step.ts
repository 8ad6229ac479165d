import type { Step } from '@celery/bootsteps'
import { createPool } from '../pools/create-pool.ts'
import type { WorkerContext } from '../worker-context.ts'

/** Where tasks run. */
export const poolStep: Step<WorkerContext> = {
  name: 'pool',
  requires: ['settling'],

  async start(worker) {
    worker.pool = createPool(worker, { onReady: () => worker.consumer?.wake() })
    await worker.pool.start()
  },

  async stop({ cold, pool }) {
    if (cold) await pool?.terminate()
    else await pool?.stop()
  },

  async terminate({ pool }) {
    await pool?.terminate()
  },
}
