import { randomUUID } from 'node:crypto'
import { CeleryError } from '@celery/promises'
import { type InvalidRedisAddressError, openRedisTarget, readRedisTarget, warnIfEvicting } from '@celery/redis'
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
    if (isInvalidAddress(error)) throw toUrlError(address, error)
    throw toTransportError(masked, error)
  }
}

function isInvalidAddress(error: unknown): error is InvalidRedisAddressError {
  return CeleryError.is(error, 'ERR_CELERY_INVALID_REDIS_ADDRESS')
}

/** What does not stand in the URL stands in the settings, and the URL is not to blame. */
function toUrlError({ query, scheme }: BrokerAddress, { message, option, reason }: InvalidRedisAddressError): Error {
  if (option === undefined || isAmong(query, option)) return new InvalidBrokerUrlError(scheme, message)
  const setting = `brokerTransportOptions${option.startsWith('ssl') ? ' or brokerUseSsl' : ''}`
  return new InvalidBrokerUrlError(scheme, reason, { setting })
}

/** `socketTimeout` means `socket_timeout`. */
function isAmong(query: Readonly<Record<string, string>>, option: string): boolean {
  const folded = (name: string): string => name.toLowerCase().replace(/[-_]/g, '')
  return Object.keys(query).some((name) => folded(name) === folded(option))
}
