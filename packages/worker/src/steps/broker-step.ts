import type { Step } from '@celery/bootsteps'
import { complain, describeError, tryingAgain, type WorkerContext } from '../worker-context.ts'

/** The connection from which messages come. The first part to start and the last to stop. */
export const brokerStep: Step<WorkerContext> = {
  name: 'broker',
  requires: ['signals'],

  async start(worker, { signal }) {
    const { app } = worker
    const connection = app.connectionForRead({
      onError: (error, { retryInMs }) => {
        worker.health?.vitals.consuming.connectionFailed(describeError(error))
        const next = retryInMs === undefined ? '' : tryingAgain(retryInMs)
        complain(worker, `cannot use the broker: ${describeError(error)}`, next)
      },
    })
    worker.connection = connection
    try {
      worker.broker = await connection.untilBroker({ signal })
    } catch (error) {
      await connection.close()
      throw error
    }
  },

  async stop({ connection }) {
    // What is still held goes back to the queues with this.
    await connection?.close()
  },
}
