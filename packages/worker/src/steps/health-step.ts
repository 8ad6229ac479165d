import type { Step } from '@celery/bootsteps'
import type { WorkerContext } from '../worker-context.ts'

/** Answers how the worker is, from before it can do anything until it has stopped. */
export const healthStep: Step<WorkerContext> = {
  name: 'health',
  requires: ['signals'],
  enabled: ({ app, options }) =>
    options.health === true || (options.healthPort ?? app.conf.workerHealthPort) !== undefined,

  async start(worker) {
    const { WorkerHealth } = await import('../health/worker-health.ts')
    worker.health = new WorkerHealth(worker, worker.state)
    await worker.health.begin()
  },

  async stop({ health }) {
    await health?.stop()
  },
}
