import { type Celery, ImproperlyConfiguredError } from '@celery/app'
import { loadExport } from '@celery/app/internal'
import type { Logger } from '../logger.ts'
import type { JobResult, TaskJob, TaskPool } from './task-pool.ts'

/** What a pool of one's own is made with. */
export interface PoolHost {
  readonly app: Celery
  /** Tasks to run at the same time. */
  readonly concurrency: number
  readonly logger: Logger
  /** Runs a task here and resolves to what came of it, for its `onDone`. Never rejects. */
  run(job: TaskJob, limits?: PoolRunLimits): Promise<JobResult>
  /** For a pool to call that was not healthy and can run tasks again. */
  onReady(): void
}

export interface PoolRunLimits {
  /** Aborts when the task's soft limit passes, with a `SoftTimeLimitExceededError`; the task sees it. */
  readonly signal: AbortSignal
}

/** Makes a pool: what the module of a pool of one's own exports. */
export type PoolFactory = (host: PoolHost) => TaskPool | Promise<TaskPool>

const methods = ['start', 'submit', 'recall', 'stop', 'terminate', 'info'] as const

/**
 * Makes the pool that `./my-pool.js:createPool` names.
 * @throws ModuleNotFoundError; ImproperlyConfiguredError where it exports no function that makes a pool
 */
export async function createCustomPool(path: string, host: PoolHost): Promise<TaskPool> {
  const create = await loadExport('workerPool', path)
  if (typeof create !== 'function') throw notAPool(path, 'is not a function')
  const pool = (await (create as PoolFactory)(host)) as Partial<TaskPool> | undefined
  const missing = methods.filter((method) => typeof pool?.[method] !== 'function')
  if (missing.length > 0) throw notAPool(path, `made something without ${missing.join(', ')}`)
  // Without these nothing would ever be fetched, and nothing would say why.
  if (typeof pool?.healthy !== 'boolean') throw notAPool(path, 'made something whose healthy is neither true nor false')
  if (!isCount(pool.concurrency, 1)) throw notAPool(path, 'made something whose concurrency is no whole number from 1')
  if (!isCount(pool.stuck ?? 0, 0)) throw notAPool(path, 'made something whose stuck is no whole number from 0')
  return pool as TaskPool
}

function isCount(value: unknown, least: number): boolean {
  return Number.isInteger(value) && (value as number) >= least
}

function notAPool(path: string, problem: string): ImproperlyConfiguredError {
  return new ImproperlyConfiguredError(
    'workerPool',
    `${path} ${problem}; the module of a pool exports a function that returns a TaskPool`,
  )
}
