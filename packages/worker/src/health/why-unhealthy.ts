import type { TaskPool } from '../pools/task-pool.ts'

/** Why a pool that is not healthy is not, in a sentence. */
export function whyUnhealthy({ concurrency, name, stuck = 0 }: TaskPool): string {
  if (stuck < concurrency) return `the pool cannot start a ${name === 'threads' ? 'thread' : 'process'}`
  const slots = concurrency === 1 ? 'the only slot' : `each of the ${concurrency} slots`
  return `${slots} of the pool is taken by a task that ran over its hard time limit and cannot be stopped: nothing runs here until one of them ends by itself or the worker is started anew`
}
