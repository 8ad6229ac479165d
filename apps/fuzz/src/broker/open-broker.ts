import type { BrokerName } from '../setup.ts'
import type { FuzzBroker } from './fuzz-broker.ts'
import { openRedisFuzzBroker } from './redis-broker.ts'
import { openSqliteFuzzBroker } from './sqlite-broker.ts'

/** Makes or starts the broker of a run. @param directory - For files. */
export function openFuzzBroker(name: BrokerName, directory: string): Promise<FuzzBroker> {
  return name === 'redis' ? openRedisFuzzBroker() : openSqliteFuzzBroker(directory)
}
