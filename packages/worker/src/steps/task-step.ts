import type { Step } from '@celery/bootsteps'
import { Consumer } from '@celery/messaging'
import { type BrokerConnection, delaysPublications } from '@celery/transport'
import { TaskDispatcher } from '../dispatcher.ts'
import { whyUnhealthy } from '../health/why-unhealthy.ts'
import { PoolWatch } from '../pool-watch.ts'
import { PrefetchWindow } from '../prefetch-window.ts'
import { complain, describeError, made, type WorkerContext } from '../worker-context.ts'

/** Delayed tasks that a worker holds at most where the broker cannot hold them (rule O-9). */
const defaultMaxHeld = 10_000

/** Takes messages and sends them on. The last to start and the first to stop. */
export function taskStep(): Step<WorkerContext> {
  let watch: PoolWatch | undefined
  return {
    name: 'tasks',
    requires: ['pool'],
    last: true,

    async start(worker, { signal }) {
      const { app, broker, logger, options } = worker
      const pool = made(worker.pool, 'pool')
      const consuming = worker.health?.vitals.consuming
      const dispatcher = new TaskDispatcher({
        app,
        logger,
        pool,
        leases: made(worker.leases, 'leases'),
        hostname: worker.hostname,
        settler: made(worker.outcomes, 'settling'),
        window: prefetchWindow(worker),
        timeLimit: options.timeLimit,
        softTimeLimit: options.softTimeLimit,
        canPark: broker?.capabilities.delay ?? false,
        canDelay: broker !== undefined && delaysPublications(broker.capabilities),
        vitals: worker.health?.vitals,
        maxHeld: app.conf.workerEtaTaskLimit ?? defaultMaxHeld,
        isCold: () => worker.cold,
        onRoom: () => worker.consumer?.wake(),
      })
      worker.dispatcher = dispatcher
      const consumer = new Consumer({
        connection: made(worker.connection, 'connection'),
        queues: worker.queues.map(({ declaration }) => declaration),
        declare: async (current, aborting) => {
          for (const queue of worker.queues) await queue.declare(current, aborting)
          // What tasks send next may go to the others.
          for (const entity of app.queues.published) await entity.declare(current, aborting)
        },
        capacity: (coming) => dispatcher.roomBeside(coming),
        ahead: fetchesAhead(worker),
        onMessages: (messages) => {
          consuming?.taken()
          dispatcher.receive(messages)
        },
        onError: (error) => {
          consuming?.failed(describeError(error))
          complain(worker, `consumer: ${describeError(error)}`)
        },
        onSetback: (error) => complain(worker, `consumer: ${describeError(error)}`),
        onConsuming: (current) => {
          consuming?.consuming(current !== worker.broker)
          follow(worker, current)
        },
      })
      worker.consumer = consumer
      // A broker that is away may hold up the start, but not the stop.
      const give = (): void => void consumer.stop()
      signal.addEventListener('abort', give, { once: true })
      await consumer.start()
      signal.removeEventListener('abort', give)
      watch = new PoolWatch({
        pool,
        isOverfull: () => dispatcher.isOverfull,
        onError: (error) => logger.error(`pool: ${describeError(error)}`),
        onHealth: (healthy) => {
          if (healthy) logger.warning('the pool can run tasks again; taking messages')
          else logger.critical(`${whyUnhealthy(pool)}; giving back what it has and taking no more messages`)
          if (healthy) worker.consumer?.wake()
        },
      })
      watch.start()
    },

    async stop({ consumer, dispatcher, pool }) {
      watch?.stop()
      await consumer?.stop()
      dispatcher?.releaseHeld()
      await pool?.recall()
    },

    /** The pool gives back what it has by itself, and need not ask processes that may be blocked. */
    async terminate({ consumer, dispatcher }) {
      watch?.stop()
      await consumer?.stop()
      dispatcher?.releaseHeld()
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

/** Whether the broker can be at work while tasks are. */
function fetchesAhead({ broker, pool }: WorkerContext): boolean {
  return broker?.capabilities.local !== true && pool?.isBlocking === undefined
}

function prefetchWindow(worker: WorkerContext): PrefetchWindow {
  const { app, concurrency, options } = worker
  const { conf } = app
  // Only what is free to run: each message is either running or in the queue.
  if (conf.reliability === 'safe' || (options.disablePrefetch ?? conf.workerDisablePrefetch))
    return new PrefetchWindow({ base: concurrency, concurrency, aheadMs: 0 })
  const multiplier = options.prefetchMultiplier ?? conf.workerPrefetchMultiplier
  const base = multiplier === 0 ? Number.MAX_SAFE_INTEGER : Math.max(1, Math.ceil(multiplier * concurrency))
  return new PrefetchWindow({ base, concurrency, aheadMs: conf.prefetchAheadMs, inHalves: fetchesAhead(worker) })
}
