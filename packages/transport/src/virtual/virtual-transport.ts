import type { BrokerAddress, OpenOptions, Transport, TransportCapabilities } from '../broker-connection.ts'
import { type TopicMatches, topicMatches } from './topic-pattern.ts'
import type { VirtualBroker } from './virtual-broker.ts'
import { VirtualConnection } from './virtual-connection.ts'

/** A driver for a store that knows queues and nothing of exchanges. */
export interface VirtualTransportDefinition {
  /** Name for logs, `redis` for example. */
  readonly name: string
  readonly capabilities: TransportCapabilities
  /**
   * Whether a topic binding takes a routing key. Give another one where publishers that are not ours route over the same
   * bindings in a way of their own: `kombuTopicMatches`. @defaultValue `topicMatches`: as AMQP defines it
   */
  readonly topicMatches?: TopicMatches
  /** Opens one connection to the store; see `Transport.open`. */
  open(address: BrokerAddress, options: OpenOptions): Promise<VirtualBroker>
}

/**
 * Makes a transport of a queue store: the default exchange, direct, topic and fanout exchanges, routed by the publisher
 * over the bindings that the store keeps, and messages in the JSON envelope that every Celery reads.
 */
export function virtualTransport(definition: VirtualTransportDefinition): Transport {
  const { name, capabilities, topicMatches: matches = topicMatches } = definition
  return {
    name,
    capabilities,
    open: async (address, options = {}) =>
      new VirtualConnection(await definition.open(address, options), {
        transport: name,
        address: address.toString(),
        topicMatches: matches,
      }),
  }
}
