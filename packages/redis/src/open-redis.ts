import type { AbortableOptions } from '@celery/promises'
import { openClient } from './connect/open-client.ts'
import { type RedisAddress, type RedisTarget, readRedisTarget } from './connect/redis-target.ts'
import { IoredisClient } from './ioredis-client.ts'
import type { RedisClient } from './redis-client.ts'

export interface OpenRedisOptions extends AbortableOptions {
  /** Settings by Celery's names (`broker_transport_options`), `socket_timeout` for example. */
  readonly transportOptions?: Readonly<Record<string, unknown>>
}

/**
 * Opens one connection: connects, authenticates, selects the database, and asks whether the server answers, all within
 * the connect timeout.
 * @throws RedisUnavailableError where that may succeed later; RedisRefusedError where it will not
 */
export async function openRedis(address: RedisAddress, options: OpenRedisOptions = {}): Promise<RedisClient> {
  const { signal, transportOptions } = options
  return await openRedisTarget(readRedisTarget(address, transportOptions), { signal })
}

/** As `openRedis`, for an address that was read before. */
export async function openRedisTarget(target: RedisTarget, options: AbortableOptions = {}): Promise<RedisClient> {
  const { client } = await openClient(target, options)
  return new IoredisClient(client, target)
}
