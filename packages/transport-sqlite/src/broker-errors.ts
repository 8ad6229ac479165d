import { CeleryError } from '@celery/promises'
import type { DatabaseBusyError, DatabaseUnavailableError } from '@celery/sqlite'
import { BrokerBusyError, ConnectionLostError, InvalidBrokerUrlError } from '@celery/transport'

/**
 * Says what happened to the file in the words that every transport uses. The file's own error, which says what to do,
 * is the cause.
 */
export function toTransportError(address: string, error: unknown, during: 'open' | 'use'): unknown {
  if (!isDatabaseError(error)) return error
  const { reason } = error as Partial<DatabaseUnavailableError>
  // Neither becomes a file to work with by waiting.
  if (during === 'open' && (reason === 'not-a-file' || reason === 'network-file-system')) {
    return new InvalidBrokerUrlError(address.split(':', 1)[0], error.message)
  }
  const busy = CeleryError.is(error, 'ERR_CELERY_DATABASE_BUSY') || reason === 'full'
  if (busy && during === 'use') return new BrokerBusyError(address, error.message, { cause: error })
  return new ConnectionLostError(address, { cause: error })
}

/** Whether the connection is of no use after this. */
export function endsConnection(error: unknown): error is ConnectionLostError {
  return CeleryError.is(error, 'ERR_CELERY_CONNECTION_LOST')
}

function isDatabaseError(error: unknown): error is DatabaseBusyError | DatabaseUnavailableError {
  return CeleryError.is(error, 'ERR_CELERY_DATABASE_BUSY') || CeleryError.is(error, 'ERR_CELERY_DATABASE_UNAVAILABLE')
}
