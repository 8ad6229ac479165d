import { InvalidServerUrlError, parseServerUrl } from '@celery/protocol'
import type { BrokerAddress } from './broker-connection.ts'
import { InvalidBrokerUrlError } from './transport-errors.ts'

/** Reads a broker URL; see `parseServerUrl` of `@celery/protocol`. @throws InvalidBrokerUrlError */
export function parseBrokerUrl(url: string): BrokerAddress {
  try {
    return parseServerUrl(url)
  } catch (error) {
    if (error instanceof InvalidServerUrlError) throw new InvalidBrokerUrlError(error.scheme, error.reason)
    throw error
  }
}
