import type { Step } from '@celery/bootsteps'
import { Settler } from '@celery/messaging'
import { CeleryError, deferred, systemClock } from '@celery/promises'
import type { DeliveryRef } from '@celery/transport'
import { describeGivenUp, type GivenUp } from '../given-up.ts'
import { OutcomeSettler, type RefusableEnd } from '../outcome-settler.ts'
import { ResultStorer } from '../result-storer.ts'
import { untilBackend } from '../until-backend.ts'
import {
  coldGraceMs,
  complain,
  describeError,
  made,
  refusedRecord,
  settleGraceMs,
  tryingAgain,
  unsettledRecord,
  type WorkerContext,
} from '../worker-context.ts'

/** The way back: acknowledgements to the broker and results to the store. */
export const settleStep: Step<WorkerContext> = {
  name: 'settling',
  requires: ['leases'],

  async start(worker, { signal }) {
    const { app, logger } = worker
    const vitals = worker.health?.vitals
    const backend = await untilBackend(app, {
      signal,
      onError: (error, retryInMs) => {
        const problem = `cannot open the result store: ${error.message}`
        if (vitals !== undefined) vitals.waitsFor = problem
        complain(worker, problem, tryingAgain(retryInMs))
      },
    })
    if (vitals !== undefined) vitals.waitsFor = undefined
    const givenUp: GivenUp[] = []
    worker.givenUp = givenUp
    const settler = new Settler<RefusableEnd>({
      connection: made(worker.connection, 'connection'),
      onError: (error) => complain(worker, `cannot settle with the broker, trying again: ${describeError(error)}`),
      onGivenUp: (entry) => givenUp.push(entry),
      onLeave: () => worker.consumer?.wake(),
      onRefused: (refused, error) => {
        // After a failover nothing is wrong with it.
        if (!CeleryError.is(error, 'ERR_CELERY_FOREIGN_WRITE')) {
          const message = refused.settlement.delivery?.tag ?? '(none)'
          logger.critical(`the broker refuses to settle message ${message}: ${describeError(error)}`)
        }
        worker.outcomes?.refused(refused, error)
      },
    })
    const storer =
      backend &&
      new ResultStorer({
        backend,
        onError: (error) => complain(worker, `cannot store results, trying again: ${describeError(error)}`),
        onRefused: (write, error) => refusedRecord(worker, write, error),
        onRoom: () => worker.consumer?.wake(),
      })
    worker.outcomes = new OutcomeSettler({
      backend,
      settler,
      storer,
      domain: () => (worker.connection?.live ?? worker.broker)?.domain,
      onRefused: (write, error) => refusedRecord(worker, write, error),
      onUnsettled: (write, error) => unsettledRecord(worker, write, error),
      onUnsent: (publications, error) => app.tracer.unsent(publications, error),
      onAbandoned: (delivery) => abandon(worker, settler, delivery),
    })
  },

  stop: (worker) => settle(worker, settleGraceMs(worker)),
  terminate: (worker) => settle(worker, coldGraceMs),
}

/**
 * Others may have better luck with the message. Where it has no lease that could end it is given back after as long as one
 * lasts: at once would be for ever, and keeping it would be until the connection ends.
 */
function abandon({ app, broker, leases }: WorkerContext, settler: Settler<RefusableEnd>, delivery: DeliveryRef): void {
  if (broker === undefined || broker.capabilities.leases) leases?.limit(delivery, 0)
  else {
    const giveBack = (): void => void settler.add({ delivery, action: { type: 'requeue', counted: true } })
    app.clock.schedule(app.conf.leaseMs, giveBack, { unref: true })
  }
}

async function settle(worker: WorkerContext, graceMs: number): Promise<void> {
  const { dispatcher, logger, outcomes } = worker
  // What comes of a task may take a moment to be written after the task itself has ended.
  const over = deferred()
  const cancel = systemClock.schedule(graceMs, over.resolve)
  await Promise.race([dispatcher?.idle(), over.promise])
  cancel()
  const late = dispatcher?.active.size ?? 0
  if (late > 0) {
    logger.error(`what came of ${late} tasks was not known in time; those not acknowledged yet are delivered again`)
  }
  const { results, settlements } = (await outcomes?.close(graceMs)) ?? { results: 0, settlements: 0 }
  if (results > 0) logger.error(`${results} ${results === 1 ? 'result' : 'results'} could not be stored`)
  if (settlements > 0) {
    worker.isBrokerSilent = outcomes?.isBrokerSilent === true
    logger.error(describeGivenUp(worker.givenUp ?? []))
  }
}
