import type { Step } from '@celery/bootsteps'
import { Consumer } from '@celery/messaging'
import type { BrokerConnection } from '@celery/transport'
import { TaskDispatcher } from '../dispatcher.ts'
import { OutcomeSettler } from '../outcome-settler.ts'
import { PrefetchWindow } from '../prefetch-window.ts'
import { describeError, made, refusedRecord, type WorkerContext } from '../worker-context.ts'

/** Milliseconds between two looks at whether this worker holds what others could be running. */
const overfullCheckMs = 250

/** Takes messages and sends them on. The last to start and the first to stop. */
export function taskStep(): Step<WorkerContext> {
  let overfull: NodeJS.Timeout | undefined
  return {
    name: 'tasks',
    requires: ['pool'],
    last: true,

    async start(worker) {
      const { app, backend, broker, logger, options, storer } = worker
      const pool = made(worker.pool, 'pool')
      const leases = made(worker.leases, 'leases')
      const dispatcher = new TaskDispatcher({
        app,
        leases,
        logger,
        pool,
        hostname: worker.hostname,
        settler: new OutcomeSettler({
          backend,
          storer,
          settler: made(worker.settler, 'settler'),
          domain: broker?.domain,
          onRefused: (write, error) => refusedRecord(worker, write, error),
        }),
        window: prefetchWindow(worker),
        timeLimit: options.timeLimit,
        softTimeLimit: options.softTimeLimit,
        canPark: broker?.capabilities.delay ?? false,
        isCold: () => worker.cold,
        onRoom: () => worker.consumer?.wake(),
      })
      worker.dispatcher = dispatcher
      worker.consumer = new Consumer({
        connection: made(worker.connection, 'connection'),
        queues: worker.queues.map((name) => ({ name, durable: true })),
        capacity: () => dispatcher.room,
        onMessages: (messages) => dispatcher.receive(messages),
        onError: (error) => logger.error(`consumer: ${describeError(error)}`),
        onConsuming: (current) => follow(worker, current),
      })
      await worker.consumer.start()
      overfull = setInterval(() => {
        if (dispatcher.isOverfull) pool.recall().catch((error: unknown) => logger.error(describeError(error)))
      }, overfullCheckMs)
    },

    async stop({ consumer, pool }) {
      clearInterval(overfull)
      await consumer?.stop()
      await pool?.recall()
    },
  }
}

/** After a reconnect deliveries belong to another connection, and so do their leases. */
function follow(worker: WorkerContext, current: BrokerConnection): void {
  if (current === worker.broker) return
  worker.broker = current
  worker.logger.warning(`consuming again from ${worker.app.brokerAddress}`)
  worker.leases?.keep(current).catch((error: unknown) => worker.logger.error(`leases: ${describeError(error)}`))
}

function prefetchWindow({ app, concurrency, options }: WorkerContext): PrefetchWindow {
  const { conf } = app
  // Only what is free to run: each message is either running or in the queue.
  if (conf.reliability === 'safe') return new PrefetchWindow({ base: concurrency, concurrency, aheadMs: 0 })
  const multiplier = options.prefetchMultiplier ?? conf.workerPrefetchMultiplier
  const base = multiplier === 0 ? Number.MAX_SAFE_INTEGER : Math.max(1, Math.ceil(multiplier * concurrency))
  return new PrefetchWindow({ base, concurrency, aheadMs: conf.prefetchAheadMs })
}
