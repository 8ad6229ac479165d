import { type Celery, workerDirect } from '@celery/app'
import type { Queue } from '@celery/messaging'
import type { WorkerOptions } from './worker-options.ts'

/**
 * What a worker consumes from: the queues it was told, else those of the app, and with `workerDirect` one of its own.
 * @throws QueueNotFoundError
 */
export function workerQueues(app: Celery, { queues }: WorkerOptions, hostname: string): readonly Queue[] {
  const given = queues === undefined ? app.queues.consumed : queues.map((name) => app.queues.get(name))
  return app.conf.workerDirect ? [...given, workerDirect(hostname)] : given
}
