import type { Step } from '@celery/bootsteps'
import type { WorkerContext } from '../worker-context.ts'

/** Tells that the worker begins and that it has ended: the first to start and the last to stop. */
export const signalStep: Step<WorkerContext> = {
  name: 'signals',

  async start({ app, hostname }) {
    await app.signals.workerInit.send({ sender: hostname })
  },

  async stop({ app, hostname }) {
    await app.signals.workerShutdown.send({ sender: hostname })
  },
}
