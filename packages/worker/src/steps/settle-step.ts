import type { Step } from '@celery/bootsteps'
import { Settler } from '@celery/messaging'
import { abortable } from '@celery/promises'
import { OutcomeSettler, type RefusableEnd } from '../outcome-settler.ts'
import { ResultStorer } from '../result-storer.ts'
import {
  coldGraceMs,
  complain,
  describeError,
  made,
  refusedRecord,
  settleGraceMs,
  type WorkerContext,
} from '../worker-context.ts'

/** The way back: acknowledgements to the broker and results to the store. */
export const settleStep: Step<WorkerContext> = {
  name: 'settling',
  requires: ['leases'],

  async start(worker, { signal }) {
    const { app, logger } = worker
    const backend = await abortable(app.backendIfConfigured(), signal)
    const settler = new Settler<RefusableEnd>({
      connection: made(worker.connection, 'connection'),
      onError: (error) => complain(worker, `cannot settle with the broker, trying again: ${describeError(error)}`),
      onLeave: () => worker.consumer?.wake(),
      onRefused: (refused, error) => {
        const message = refused.settlement.delivery?.tag ?? '(none)'
        logger.critical(`the broker refuses to settle message ${message}: ${describeError(error)}`)
        worker.outcomes?.refused(refused, error)
      },
    })
    const storer =
      backend &&
      new ResultStorer({
        backend,
        onError: (error) => complain(worker, `cannot store results, trying again: ${describeError(error)}`),
        onRefused: (write, error) => refusedRecord(worker, write, error),
      })
    worker.outcomes = new OutcomeSettler({
      backend,
      settler,
      storer,
      domain: worker.broker?.domain,
      onRefused: (write, error) => refusedRecord(worker, write, error),
      onAbandoned: (delivery) => worker.leases?.limit(delivery, 0),
    })
  },

  stop: (worker) => settle(worker, settleGraceMs(worker)),
  terminate: (worker) => settle(worker, coldGraceMs),
}

async function settle({ logger, outcomes }: WorkerContext, graceMs: number): Promise<void> {
  const { results, settlements } = (await outcomes?.close(graceMs)) ?? { results: 0, settlements: 0 }
  if (results > 0) logger.error(`${results} results could not be stored`)
  if (settlements > 0) {
    logger.error(
      `${settlements} settlements could not be told to the broker; what it still holds for them is delivered again`,
    )
  }
}
