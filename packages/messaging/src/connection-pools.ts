import type { Connection } from './connection.ts'
import { MessageProducer, type MessageProducerOptions } from './message-producer.ts'
import { ResourcePool, type ResourcePoolOptions } from './resource-pool.ts'

/** Of a pool whose resources are made for it. */
export type PoolOptions = Pick<ResourcePoolOptions<object>, 'clock' | 'limit' | 'onError'>

/**
 * Connections of their own to the brokers of `connection`: kombu's `connection.Pool` and `connections[connection]`. One
 * connection carries everything at the same time, so a pool is for those who want several on purpose: because a broker
 * deals with the requests of one connection one after the other, for example.
 */
export function connectionPool(connection: Connection, options: PoolOptions = {}): ResourcePool<Connection> {
  return new ResourcePool({ ...options, open: () => connection.clone(), close: (each) => each.close() })
}

/** Producers with a connection each: kombu's `producers[connection]`. */
export function producerPool(
  producer: MessageProducerOptions,
  options: PoolOptions = {},
): ResourcePool<MessageProducer> {
  const connections = new WeakMap<MessageProducer, Connection>()
  return new ResourcePool({
    ...options,
    open() {
      const connection = producer.connection.clone()
      const opened = new MessageProducer({ ...producer, connection })
      connections.set(opened, connection)
      return opened
    },
    async close(each) {
      try {
        await each.close()
      } finally {
        await connections.get(each)?.close()
      }
    },
  })
}
