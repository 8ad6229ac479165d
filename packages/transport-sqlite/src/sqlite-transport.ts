import type { Transport } from '@celery/transport'
import { virtualTransport } from '@celery/transport/virtual'
import { brokerPath } from './broker-path.ts'
import { sqliteCapabilities } from './capabilities.ts'
import { openSqliteBroker } from './sqlite-broker.ts'

/** `sqlite:///queue.db` is relative to the current folder, `sqlite:////srv/app/queue.db` absolute, as SQLAlchemy writes them. */
export const sqlite: Transport = virtualTransport({
  name: 'sqlite',
  capabilities: sqliteCapabilities,
  open(address, { signal, leaseMs, now, transportOptions }) {
    const lockTimeoutMs = milliseconds(transportOptions, 'lockTimeoutMs')
    const takeoverGraceMs = milliseconds(transportOptions, 'takeoverGraceMs')
    return openSqliteBroker({
      path: brokerPath(address),
      address: address.toString(),
      signal,
      ...(leaseMs === undefined ? {} : { leaseMs }),
      ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }),
      ...(takeoverGraceMs === undefined ? {} : { takeoverGraceMs }),
      ...(now === undefined ? {} : { now }),
    })
  },
})

/** @throws TypeError naming the option */
function milliseconds(
  options: Readonly<Record<string, unknown>> | undefined,
  name: keyof SqliteTransportOptions,
): number | undefined {
  const value = options?.[name]
  if (value === undefined || (typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY)) return value
  throw new TypeError(
    `brokerTransportOptions.${name} must be a number of milliseconds, 0 or more, not ${String(value)}`,
  )
}

/** What `broker_transport_options` may hold for this transport. */
export interface SqliteTransportOptions {
  /** Milliseconds for which an operation waits while other processes have the file locked. @defaultValue `5_000` */
  readonly lockTimeoutMs?: number
  /**
   * Milliseconds that owners get to renew leases which ended while nobody renewed any, because the machine slept or the
   * file was locked. @defaultValue `1_000`, and a third of the lease at most
   */
  readonly takeoverGraceMs?: number
}
