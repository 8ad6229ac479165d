import type { Step } from '@celery/bootsteps'
import { Settler } from '@celery/messaging'
import type { Settlement } from '@celery/transport'
import { ResultStorer } from '../result-storer.ts'
import { describeError, made, refusedRecord, settleGraceMs, type WorkerContext } from '../worker-context.ts'

/** The way back: acknowledgements to the broker and results to the store. */
export const settleStep: Step<WorkerContext> = {
  name: 'settling',
  requires: ['leases'],

  async start(worker) {
    const { app, logger } = worker
    worker.settler = new Settler({
      connection: made(worker.connection, 'connection'),
      onError: (error) => logger.error(`cannot settle with the broker, trying again: ${describeError(error)}`),
      onRefused: (settlement, error) => setAside(worker, settlement, error),
    })
    const backend = await app.backendIfConfigured()
    if (backend === undefined) return
    worker.backend = backend
    worker.storer = new ResultStorer({
      backend,
      onError: (error) => logger.error(`cannot store results, trying again: ${describeError(error)}`),
      onRefused: (write, error) => refusedRecord(worker, write, error),
    })
  },

  async stop(worker) {
    // One time for both: a stored result can still bring a settlement with it.
    const until = performance.now() + settleGraceMs(worker)
    await worker.storer?.close(settleGraceMs(worker))
    const left = (await worker.settler?.close(Math.max(0, until - performance.now()))) ?? 0
    if (left === 0) return
    worker.logger.error(`${left} settlements could not be told to the broker; those messages are delivered again`)
  },
}

/** What cannot be settled as it should must not stay held for ever: its message goes to the dead letters. */
function setAside({ logger, settler }: WorkerContext, { delivery, action }: Settlement, error: unknown): void {
  logger.critical(`the broker refuses to settle message ${delivery?.tag ?? '(none)'}: ${describeError(error)}`)
  if (delivery === undefined || action?.type === 'dead') return
  settler?.add({ delivery, action: { type: 'dead', reason: describeError(error) } })
}
