import type { Celery } from '@celery/app'

/** Deletes what waits in the queues; how many messages that were, by queue. What is being worked on stays. */
export async function purgeQueues(app: Celery, queues: readonly string[]): Promise<ReadonlyMap<string, number>> {
  await using connection = app.connectionForWrite()
  const broker = await connection.broker()
  const purged = new Map<string, number>()
  for (const queue of queues) purged.set(queue, await broker.purgeQueue(queue))
  return purged
}
