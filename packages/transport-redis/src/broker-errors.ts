import { CeleryError } from '@celery/promises'
import { withoutAddress } from '@celery/redis'
import { BrokerBusyError, ConnectionLostError } from '@celery/transport'

/**
 * Says what happened to the server in the words that every transport uses. What it refuses for good, for want of rights for
 * example, stays what it is.
 */
export function toTransportError(address: string, error: unknown): unknown {
  if (CeleryError.is(error, 'ERR_CELERY_REDIS_UNAVAILABLE')) return new ConnectionLostError(address, { cause: error })
  if (CeleryError.is(error, 'ERR_CELERY_REDIS_FULL')) {
    return new BrokerBusyError(address, withoutAddress(address, error), { cause: error })
  }
  return error
}
