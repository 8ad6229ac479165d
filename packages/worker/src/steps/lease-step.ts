import type { Step } from '@celery/bootsteps'
import { onAbort } from '@celery/promises'
import { BrokerLeases } from '../broker-leases.ts'
import { complain, made, type WorkerContext } from '../worker-context.ts'

/** The keeping of leases, begun before any user code runs. */
export const leaseStep: Step<WorkerContext> = {
  name: 'leases',
  requires: ['broker'],

  async start(worker, { signal }) {
    const leases = new BrokerLeases({
      leaseMs: worker.app.conf.leaseMs,
      held: () => [...(worker.dispatcher?.deliveries ?? []), ...(worker.outcomes?.unstored ?? [])],
      onError: (error) => {
        // While the broker is away, the connection that messages come from says so.
        if (worker.connection?.live !== undefined) complain(worker, `leases: ${error.message}`)
      },
    })
    worker.leases = leases
    // A broker that is locked or away may hold up the start, but not the stop.
    let stopping: Promise<void> | undefined
    const forget = onAbort(signal, () => {
      stopping = leases.stop()
    })
    try {
      await leases.keep(made(worker.broker, 'broker'))
    } catch (error) {
      await leases.stop()
      throw error
    } finally {
      forget()
      await stopping
    }
  },

  async stop({ leases }) {
    await leases?.stop()
  },
}
