import { type BackendDriver, globalKeyPrefix, keyValueBackend } from '@celery/backend'
import { retry } from '@celery/promises'
import { parseServerUrl } from '@celery/protocol'
import { openRedis, type RedisClient, warnIfEvicting } from '@celery/redis'
import { readRedisBackendOptions } from './redis-backend-options.ts'
import { asBackendError, isUnavailable } from './redis-link.ts'
import { defaultRetryPolicy, RedisStore } from './redis-store.ts'

/**
 * Result store in Redis, with Celery's keys, records and notifications: `redis://:password@host:6379/0`. The same server and
 * database as the broker's make a task's result and its acknowledgement one transaction.
 */
export const redis: BackendDriver = {
  name: 'redis',
  async open(url, options = {}) {
    const { once = false, signal, transportOptions = {} } = options
    signal?.throwIfAborted()
    const { chordLayout, maxRecordBytes, retryPolicy } = readRedisBackendOptions(transportOptions)
    const address = parseServerUrl(url)
    const policy = once ? { maxRetries: 0 } : (retryPolicy ?? defaultRetryPolicy)
    const open = (): Promise<RedisClient> => openRedis(address, { transportOptions, signal })
    const client = await retry(open, { policy, retryOn: isUnavailable, signal }).catch((error: unknown) => {
      throw asBackendError(address.toString(), error)
    })
    void warnIfEvicting(client)
    const store = new RedisStore(client, { chordLayout, retryPolicy })
    const keyPrefix = client.keyPrefix === '' ? globalKeyPrefix(transportOptions) : client.keyPrefix
    return keyValueBackend(store, { keyPrefix, maxRecordBytes })
  },
}
