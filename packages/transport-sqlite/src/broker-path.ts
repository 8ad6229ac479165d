import { CeleryError } from '@celery/promises'
import { databasePath, type InvalidDatabaseUrlError } from '@celery/sqlite'
import { type BrokerAddress, InvalidBrokerUrlError } from '@celery/transport'

/**
 * The file that a broker's address names. The address is written out again and read by the one who knows, so that the
 * broker lies where a result store of the same URL does.
 * @throws InvalidBrokerUrlError
 */
export function brokerPath(address: BrokerAddress): string {
  try {
    return databasePath([address, ...address.alternates].join(';'))
  } catch (error) {
    if (!CeleryError.is(error, 'ERR_CELERY_INVALID_DATABASE_URL')) throw error
    throw new InvalidBrokerUrlError(address.scheme, (error as InvalidDatabaseUrlError).reason)
  }
}
