import { ImproperlyConfiguredError } from '@celery/app'
import type { WorkerContext } from '../worker-context.ts'
import { AsyncPool } from './async-pool.ts'
import { PreforkPool } from './prefork-pool.ts'
import type { TaskPool } from './task-pool.ts'

/** Names of pools, Celery's own among them, and what each is here. */
const pools = {
  prefork: 'prefork',
  processes: 'prefork',
  async: 'async',
  gevent: 'async',
  eventlet: 'async',
} as const

/** What `pool` may be. */
export const poolNames: readonly string[] = Object.keys(pools)

export interface PoolEvents {
  /** The pool can run tasks, maybe again. */
  readonly onReady: () => void
}

/** Makes the pool that `worker` is to run its tasks in. */
export function createPool(worker: WorkerContext, events: PoolEvents): TaskPool {
  const { app, concurrency, logger, options, poolName } = worker
  const kind = Object.hasOwn(pools, poolName) ? pools[poolName as keyof typeof pools] : undefined
  if (kind === 'async') return new AsyncPool({ concurrency, trace: (input, limits) => app.tracer.run(input, limits) })
  if (kind === undefined) {
    throw new ImproperlyConfiguredError(
      'workerPool',
      `there is no pool "${poolName}"; known are ${poolNames.join(', ')}`,
    )
  }
  if (options.appModule === undefined) {
    throw new ImproperlyConfiguredError(
      'appModule',
      'the prefork pool must know which module creates the app: startWorker({ pool: "prefork", appModule: import.meta.url })',
    )
  }
  const maxMemoryPerChild = options.maxMemoryPerChild ?? app.conf.workerMaxMemoryPerChild
  return new PreforkPool({
    concurrency,
    init: {
      appModule: options.appModule,
      appExport: options.appExport,
      include: [...app.conf.imports, ...app.conf.include, ...(options.include ?? [])],
    },
    execArgv: options.execArgv,
    maxTasksPerChild: options.maxTasksPerChild ?? app.conf.workerMaxTasksPerChild,
    // Celery counts this setting in KiB.
    maxMemoryPerChildBytes: maxMemoryPerChild === undefined ? undefined : maxMemoryPerChild * 1_024,
    onReady: events.onReady,
    onChildError: (error) => logger.error(`pool: ${error.message}`),
    onChildExit: (pid, reason) => logger.debug(`pool: process ${pid} ended with ${reason}`),
  })
}
