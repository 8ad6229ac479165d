import type { AbortableOptions } from '@celery/promises'
import type { BrokerConnection } from '@celery/transport'
import type { Connection } from './connection.ts'

/** Where something is done: a supervised connection, which repeats what a lost one left undone, or one of the driver's. */
export type BrokerSource = Connection | BrokerConnection

/** Runs something that is harmless to repeat; up to three times more on a supervised connection. */
export function onBroker<T>(
  source: BrokerSource,
  run: (broker: BrokerConnection) => Promise<T>,
  options: AbortableOptions = {},
): Promise<T> {
  return 'ensure' in source ? source.ensure(run, { retryPolicy: {}, signal: options.signal }) : run(source)
}
