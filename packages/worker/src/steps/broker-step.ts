import type { Step } from '@celery/bootsteps'
import { withDeadline } from '@celery/promises'
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

  async stop({ connection, isBrokerSilent }) {
    // What is still held goes back to the queues with this.
    const closing = connection?.close()
    if (isBrokerSilent !== true || closing === undefined) return await closing
    // It has had its time; what it still holds comes back as after a crash.
    const late = new Error('the broker does not answer')
    await withDeadline(closing, silentGraceMs, () => late).catch((error: unknown) => {
      if (error !== late) throw error
    })
    return undefined
  },
}

/** Milliseconds for which the end of a connection is waited for whose broker did not answer before. */
const silentGraceMs = 100
