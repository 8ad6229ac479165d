import type { BrokerConnection, TransportCapabilities } from '../broker-connection.ts'

/** What a driver gives the kit: a broker that nobody else uses. Disposed of after the case. */
export interface BrokerUnderTest extends AsyncDisposable {
  readonly capabilities: TransportCapabilities
  /** Opens one more connection to the same broker. */
  connect(options: { readonly leaseMs: number; readonly session?: string }): Promise<BrokerConnection>
  /**
   * Moves the clock that the driver reads (`OpenOptions.now`) ahead. The clock must run besides, as the machine's does.
   * Without it the kit waits in real time, for seconds.
   */
  advance?(ms: number): void | Promise<void>
  /**
   * Ends a connection as the death of its process does: no word to the broker. Without it the kit just stops using the
   * connection.
   */
  crash?(connection: BrokerConnection): Promise<void>
  /**
   * Breaks the wire of a connection while its process lives on. Only asked for with `capabilities.sessions`. Without it
   * the kit closes the connection and says that its session goes on.
   */
  cut?(connection: BrokerConnection): Promise<void>
}

/** Makes a new broker. Called for each case. */
export type OpenBroker = () => Promise<BrokerUnderTest>
