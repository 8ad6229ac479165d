import { ImproperlyConfiguredError } from '@celery/app'
import { closestName } from '@celery/promises'
import { leastLevel } from '../task-log.ts'
import type { WorkerContext } from '../worker-context.ts'
import { isPath, type PoolKind, poolNames, pools } from './pool-names.ts'
import type { PreforkPoolOptions } from './prefork-pool.ts'
import type { TaskPool } from './task-pool.ts'

export interface PoolEvents {
  /** The pool can run tasks, maybe again. */
  readonly onReady: () => void
}

function kindOf(name: string): PoolKind {
  if (Object.hasOwn(pools, name)) return pools[name as keyof typeof pools]
  if (isPath(name)) return 'custom'
  const near = closestName(name, poolNames)
  const known = `known are ${poolNames.join(', ')}; one of your own is named by its module: ./my-pool.js:createPool`
  const hint = near === undefined ? known : `did you mean ${near}?`
  throw new ImproperlyConfiguredError('workerPool', `there is no pool "${name}"; ${hint}`)
}

/** As in Celery, where the pool is named `custom`. */
function customPath(): string {
  const path = process.env.CELERY_CUSTOM_WORKER_POOL
  if (path !== undefined && path !== '') return path
  throw new ImproperlyConfiguredError(
    'workerPool',
    'the pool "custom" is the one that CELERY_CUSTOM_WORKER_POOL names, which is not set; set it to ./my-pool.js:createPool for example',
  )
}

/** Makes the pool that `worker` is to run its tasks in. Loads that one only. */
export async function createPool(worker: WorkerContext, events: PoolEvents): Promise<TaskPool> {
  const { app, concurrency, hostname, logger, options, poolName } = worker
  const kind = kindOf(poolName)
  if (kind === 'async' || kind === 'solo') {
    const { AsyncPool } = await import('./async-pool.ts')
    // As in Celery, where the worker's own process is the one that tasks have for themselves.
    if (kind === 'solo') await app.signals.workerProcessInit.send({ sender: hostname, index: 1, pid: process.pid })
    return new AsyncPool({
      name: kind,
      concurrency,
      clock: app.clock,
      trace: (input, limits) => app.tracer.run(input, limits),
      onReady: events.onReady,
    })
  }
  if (kind === 'custom') {
    const { createCustomPool } = await import('./custom-pool.ts')
    return await createCustomPool(poolName === 'custom' ? customPath() : poolName, {
      app,
      concurrency,
      logger,
      onReady: events.onReady,
      run: async (job, limits) => ({ type: 'outcome', outcome: await app.tracer.run(job.readInput(), limits) }),
    })
  }
  if (options.appModule === undefined) {
    throw new ImproperlyConfiguredError(
      'appModule',
      `the ${kind} pool must know which module creates the app: startWorker({ pool: "${kind}", appModule: import.meta.url })`,
    )
  }
  if (app.brokerAddress.startsWith('memory:')) {
    logger.warning(
      `the broker ${app.brokerAddress} is in this process only: what tasks send from ${kind === 'threads' ? 'threads' : 'processes'} of the pool gets lost; ` +
        'leave brokerUrl away to use a file, or run tasks in this process with the pool async',
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
      hostname,
      logFile: options.logFile,
    },
    execArgv: options.execArgv,
    startTimeoutMs: app.conf.workerProcAliveTimeout * 1_000,
    fair: options.optimization === 'fair',
    maxTasksPerChild: options.maxTasksPerChild ?? app.conf.workerMaxTasksPerChild,
    // Celery counts this setting in KiB.
    maxMemoryPerChildBytes: maxMemoryPerChild === undefined ? undefined : maxMemoryPerChild * 1_024,
    onReady: events.onReady,
    onChildError: (error) => logger.error(`pool: ${error.message}`),
    onChildExit: ({ child, problem, status }) => {
      if (problem === undefined) logger.debug(`pool: ${child} ended with ${status}`)
      else logger.warning(`pool: ${child} ended with ${status}; ${problem}`)
    },
  }
  if (kind === 'threads') return (await import('./threads-pool.ts')).createThreadsPool(poolOptions)
  const { PreforkPool } = await import('./prefork-pool.ts')
  return new PreforkPool(poolOptions)
}
