import { type BackendDriver, globalKeyPrefix, keyValueBackend } from '@celery/backend'
import { parseServerUrl } from '@celery/protocol'
import { openRedis } from '@celery/redis'
import { readRedisBackendOptions } from './redis-backend-options.ts'
import { asBackendError } from './redis-link.ts'
import { RedisStore } from './redis-store.ts'

/**
 * Result store in Redis, with Celery's keys, records and notifications: `redis://:password@host:6379/0`. The same server and
 * database as the broker's make a task's result and its acknowledgement one transaction.
 */
export const redis: BackendDriver = {
  name: 'redis',
  async open(url, options = {}) {
    const { signal, transportOptions = {} } = options
    signal?.throwIfAborted()
    const { chordLayout, maxRecordBytes, retryPolicy } = readRedisBackendOptions(transportOptions)
    const address = parseServerUrl(url)
    const client = await openRedis(address, { transportOptions, signal }).catch((error: unknown) => {
      throw asBackendError(address.toString(), error)
    })
    const store = new RedisStore(client, { chordLayout, retryPolicy })
    const keyPrefix = client.keyPrefix === '' ? globalKeyPrefix(transportOptions) : client.keyPrefix
    return keyValueBackend(store, { keyPrefix, maxRecordBytes })
  },
}
