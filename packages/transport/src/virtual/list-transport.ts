import type { BrokerAddress, OpenOptions, Transport, TransportCapabilities } from '../broker-connection.ts'
import { ListBroker } from './list-broker.ts'
import { ListConnection } from './list-connection.ts'
import type { ListStore } from './list-store.ts'
import { virtualTransport } from './virtual-transport.ts'

/** A driver for a store of lists. */
export interface ListTransportDefinition {
  /** Name for logs, `folder` for example. */
  readonly name: string
  /** Other processes can open the same store. @defaultValue `false` */
  readonly shared?: boolean
  /**
   * Messages survive the death of every process, also those that were taken and not settled: only a store with
   * `settled` can say so. @defaultValue `false`
   */
  readonly durable?: boolean
  /** Milliseconds after which a shared store without `watch` is asked again for messages of others. @defaultValue `200` */
  readonly pollMs?: number
  /** Opens the store of an address. Connections for which this is the same object share it; the last one closes it. */
  open(address: BrokerAddress, options: OpenOptions): Promise<ListStore>
}

/**
 * Makes a transport of a store of lists: on top of `virtualTransport()` it gives declarations and bindings, ten
 * priorities, waiting, turns of queues, holding and giving back, counts of redeliveries, fences, times to live, queues
 * that end by themselves, and dead letters.
 *
 * What this costs: a call of the store for each message, and one for the facts with each fetch and each publication to
 * an exchange. What it cannot give: **a message that was taken and not settled is lost with its process**, unless the
 * store lays it aside (`ListStore.settled`), which is why `leases` is never promised and `durable` is yours to promise.
 * Follow-ups of a settlement are put before it ends, so that a crash in between doubles and loses none. Counts of held
 * messages, `expiresMs`, `autoDelete` and `exclusive` look at the process that declared the queue; counts of ready
 * ones take in what is past its time and has not come up. A store that must do better implements `VirtualBroker`.
 */
export function listTransport(definition: ListTransportDefinition): Transport {
  const { name, shared = false, durable = false, pollMs = 200 } = definition
  const capabilities: TransportCapabilities = {
    shared,
    durable,
    fanout: true,
    priorities: 10,
    priorityOrder: 'highest-first',
    delay: false,
    leases: false,
    transactions: false,
  }
  const brokers = new WeakMap<ListStore, ListBroker>()
  return virtualTransport({
    name,
    capabilities,
    async open(address, options) {
      const store = await definition.open(address, options)
      const broker = brokers.get(store) ?? new ListBroker(store, shared ? pollMs : undefined)
      brokers.set(store, broker)
      const { now = Date.now } = options
      return new ListConnection(broker, { name, address: address.toString(), capabilities, now })
    },
  })
}
