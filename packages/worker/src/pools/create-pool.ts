import { ImproperlyConfiguredError } from '@celery/app'
import { leastLevel } from '../task-log.ts'
import type { WorkerContext } from '../worker-context.ts'
import type { PreforkPoolOptions } from './prefork-pool.ts'
import type { TaskPool } from './task-pool.ts'

/** Names of pools, Celery's own among them, and what each is here. */
const pools = {
  prefork: 'prefork',
  processes: 'prefork',
  threads: 'threads',
  solo: 'solo',
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

/** Makes the pool that `worker` is to run its tasks in. Loads that one only. */
export async function createPool(worker: WorkerContext, events: PoolEvents): Promise<TaskPool> {
  const { app, concurrency, logger, options, poolName } = worker
  const kind = Object.hasOwn(pools, poolName) ? pools[poolName as keyof typeof pools] : undefined
  if (kind === 'async' || kind === 'solo') {
    const { AsyncPool } = await import('./async-pool.ts')
    return new AsyncPool({
      name: kind,
      concurrency,
      trace: (input, limits) => app.tracer.run(input, limits),
      onReady: events.onReady,
    })
  }
  if (kind === undefined) {
    throw new ImproperlyConfiguredError(
      'workerPool',
      `there is no pool "${poolName}"; known are ${poolNames.join(', ')}`,
    )
  }
  if (options.appModule === undefined) {
    throw new ImproperlyConfiguredError(
      'appModule',
      `the ${kind} pool must know which module creates the app: startWorker({ pool: "${kind}", appModule: import.meta.url })`,
    )
  }
  const maxMemoryPerChild = options.maxMemoryPerChild ?? app.conf.workerMaxMemoryPerChild
  const poolOptions: PreforkPoolOptions = {
    concurrency,
    init: {
      appModule: options.appModule,
      appExport: options.appExport,
      settings: options.settings ?? {},
      include: [...app.conf.imports, ...app.conf.include, ...(options.include ?? [])],
      taskLogLevel: leastLevel(logger),
    },
    execArgv: options.execArgv,
    fair: options.optimization === 'fair',
    maxTasksPerChild: options.maxTasksPerChild ?? app.conf.workerMaxTasksPerChild,
    // Celery counts this setting in KiB.
    maxMemoryPerChildBytes: maxMemoryPerChild === undefined ? undefined : maxMemoryPerChild * 1_024,
    onReady: events.onReady,
    onChildError: (error) => logger.error(`pool: ${error.message}`),
    onChildExit: (pid, reason) => logger.debug(`pool: process ${pid} ended with ${reason}`),
  }
  if (kind === 'threads') return (await import('./threads-pool.ts')).createThreadsPool(poolOptions)
  const { PreforkPool } = await import('./prefork-pool.ts')
  return new PreforkPool(poolOptions)
}
