import type { Step } from '@celery/bootsteps'
import { BrokerLeases } from '../broker-leases.ts'
import { complain, made, type WorkerContext } from '../worker-context.ts'

/** The keeping of leases, begun before any user code runs. */
export const leaseStep: Step<WorkerContext> = {
  name: 'leases',
  requires: ['broker'],

  async start(worker) {
    const leases = new BrokerLeases({
      leaseMs: worker.app.conf.leaseMs,
      held: () => worker.dispatcher?.deliveries ?? [],
      onError: (error) => complain(worker, `leases: ${error.message}`),
    })
    worker.leases = leases
    try {
      await leases.keep(made(worker.broker, 'broker'))
    } catch (error) {
      await leases.stop()
      throw error
    }
  },

  async stop({ leases }) {
    await leases?.stop()
  },
}
