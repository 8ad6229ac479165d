import { setFlagsFromString } from 'node:v8'

/**
 * Lets V8's heap become twice as large as what is alive in it, not four times, before what has become old is collected. Of
 * the messages of a long queue many become old, just before they are done with. Costs little, as little is alive.
 *
 * Holds for the whole process, threads and all, so call it only in one that is nothing but a worker. `celery worker` does.
 */
export function limitHeapGrowth(): void {
  // Who has said it to Node knows better.
  if (process.execArgv.some((flag) => flag.replaceAll('_', '-').startsWith('--heap-growing-percent'))) return
  setFlagsFromString('--heap-growing-percent=100')
}
