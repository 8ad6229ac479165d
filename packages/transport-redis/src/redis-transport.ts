import { randomUUID } from 'node:crypto'
import { CeleryError } from '@celery/promises'
import { openRedisTarget, readRedisTarget, warnIfEvicting } from '@celery/redis'
import { type BrokerAddress, InvalidBrokerUrlError, type OpenOptions, type Transport } from '@celery/transport'
import { kombuTopicMatches, type VirtualBroker, virtualTransport } from '@celery/transport/virtual'
import { toTransportError } from './broker-errors.ts'
import { redisCapabilities } from './capabilities.ts'
import { readFanoutSettings } from './fanout-channels.ts'
import { startRedisBroker } from './redis-broker.ts'
import { readBrokerSettings } from './redis-options.ts'

/**
 * Redis as a broker, in Celery's own layout, so that Python clients and workers share the queues:
 * `redis://[[user]:password@]host[:port]/db`, `rediss://`, `redis+socket:///path`, `sentinel://`, `redis+cluster://`.
 */
export const redis: Transport = virtualTransport({
  name: 'redis',
  capabilities: redisCapabilities,
  topicMatches: kombuTopicMatches,
  open: openRedisBroker,
})

async function openRedisBroker(address: BrokerAddress, options: OpenOptions): Promise<VirtualBroker> {
  const { signal, leaseMs = 30_000, session = randomUUID(), now = Date.now, transportOptions = {} } = options
  const masked = address.toString()
  try {
    const target = readRedisTarget(address, transportOptions)
    const settings = readBrokerSettings(masked, [address.query, transportOptions])
    const fanout = readFanoutSettings(masked, [address.query, transportOptions])
    const client = await openRedisTarget(target, { signal })
    void warnIfEvicting(client)
    try {
      return await startRedisBroker(client, { target, settings, fanout, leaseMs, session, now })
    } catch (error) {
      await client.close()
      throw error
    }
  } catch (error) {
    if (CeleryError.is(error, 'ERR_CELERY_INVALID_REDIS_ADDRESS')) {
      throw new InvalidBrokerUrlError(address.scheme, error.message)
    }
    throw toTransportError(masked, error)
  }
}
