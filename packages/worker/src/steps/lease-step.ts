import type { Step } from '@celery/bootsteps'
import { BrokerLeases } from '../broker-leases.ts'
import { complain, made, type WorkerContext } from '../worker-context.ts'

/** The keeping of leases, begun before any user code runs. */
export const leaseStep: Step<WorkerContext> = {
  name: 'leases',
  requires: ['broker'],

  async start(worker, { signal }) {
    const leases = new BrokerLeases({
      leaseMs: worker.app.conf.leaseMs,
      held: () => worker.dispatcher?.deliveries ?? [],
      onError: (error) => complain(worker, `leases: ${error.message}`),
    })
    worker.leases = leases
    // A broker that is locked or away may hold up the start, but not the stop.
    const give = (): void => void leases.stop()
    signal.addEventListener('abort', give, { once: true })
    try {
      await leases.keep(made(worker.broker, 'broker'))
      signal.removeEventListener('abort', give)
    } catch (error) {
      await leases.stop()
      throw error
    }
  },

  async stop({ leases }) {
    await leases?.stop()
  },
}
