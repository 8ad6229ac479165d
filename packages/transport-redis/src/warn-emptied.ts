import type { RedisClient } from '@celery/redis'

/** The mark that stood in each server last, by what is in it. */
const marks = new Map<string, string>()

/**
 * Notes the mark that stands in a server, and says once per process that it is another one than before: somebody has removed
 * the keys of the broker, or the server has evicted them, or lost them in a restart.
 */
export function noteMark(client: RedisClient, key: string, mark: string): void {
  const name = `${client.domain} ${key}`
  const before = marks.get(name)
  marks.set(name, mark)
  if (before === undefined || before === mark) return
  process.emitWarning(
    `the keys of the broker in Redis at ${client.address} are gone: it was flushed, has evicted them, or came back without its data; messages that were there are lost, and exchanges, lasting queues and bindings are declared again`,
    { code: 'CELERY_REDIS_EMPTIED' },
  )
}
