import { ThreadPool } from '@celery/process-pool/threads'
import { PreforkPool, type PreforkPoolOptions } from './prefork-pool.ts'
import type { TaskPool } from './task-pool.ts'

/** Runs tasks in threads of this process, each of which loads the app for itself: see `ThreadPool` for what they cannot do. */
export function createThreadsPool(options: PreforkPoolOptions): TaskPool {
  return new PreforkPool(options, 'threads', (poolOptions) => new ThreadPool(poolOptions))
}
