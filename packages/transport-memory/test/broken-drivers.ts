import { setImmediate as nextTurn } from 'node:timers/promises'
import { abortable } from '@celery/promises'
import {
  type BrokerConnection,
  type Delivery,
  isDeadLetterQueue,
  type Publication,
  type Transport,
} from '@celery/transport'

/** A driver with one fault that a hurried author could make, and the case of the kit that is there to find it. */
export interface BrokenDriver {
  readonly fault: string
  readonly foundBy: string
  readonly alter: (transport: Transport) => Transport
}

export const brokenDrivers: readonly BrokenDriver[] = [
  {
    fault: 'loses on crash',
    foundBy: 'loses nothing that a crashed owner held',
    // A lease that never ends: what a dead owner held stays his.
    alter: (transport) => ({
      ...transport,
      open: (address, options) => transport.open(address, { ...options, leaseMs: Number.MAX_SAFE_INTEGER }),
    }),
  },
  {
    fault: 'delivers twice',
    foundBy: 'gives every message of 2,000 to one of several concurrent consumers',
    alter: perConnection((connection) => {
      let again: readonly Delivery[] = []
      return {
        async fetch(queues, options) {
          const [delivery] = again
          again = []
          if (delivery !== undefined && queues.includes(delivery.queue)) return [delivery]
          const deliveries = await connection.fetch(queues, options)
          again = deliveries.slice(0, 1)
          return deliveries
        },
      }
    }),
  },
  {
    fault: 'delivers the last message first',
    foundBy: 'delivers in the order of publishing',
    alter: perConnection((connection) => {
      let count = 0
      return {
        publish: (publications, options) =>
          connection.publish(
            publications.map((message) => withPriority(message, Math.min(9, count++))),
            options,
          ),
      }
    }),
  },
  {
    fault: 'ignores requeue',
    foundBy: 'puts a requeued message back to its place',
    alter: perConnection((connection) => ({
      settle: (settlements, options) =>
        connection.settle(
          settlements.map((item) => (item.action?.type === 'requeue' ? { ...item, action: { type: 'ack' } } : item)),
          options,
        ),
    })),
  },
  {
    fault: 'drops messages to fanout exchanges',
    foundBy: 'copies a message to every queue bound to a fanout exchange, whatever the key',
    alter: perConnection((connection) => {
      const fanouts = new Set<string>()
      return {
        async declareExchange(exchange, options) {
          if (exchange.type === 'fanout') fanouts.add(exchange.name)
          await connection.declareExchange(exchange, options)
        },
        publish: (publications, options) =>
          connection.publish(
            publications.filter(({ exchange }) => !fanouts.has(exchange)),
            options,
          ),
      }
    }),
  },
  {
    fault: 'does not renew',
    foundBy: 'extends the lease of a delivery that is renewed',
    alter: perConnection(() => ({ renew: async (deliveries) => deliveries.map(() => 'done' as const) })),
  },
  {
    fault: 'accepts a stale acknowledgement',
    foundBy: 'refuses an acknowledgement by an owner that was taken over from',
    alter: acceptStale,
  },
  {
    fault: 'blocks close',
    foundBy: 'closes while a fetch waits, and rejects the fetch',
    alter: perConnection(() => ({ close: () => new Promise<never>(() => {}) })),
  },
  {
    fault: 'hands out what it gives back as it closes',
    foundBy: 'hands nothing out any more once it is being closed, but gives it back',
    alter: perConnection((connection) => ({
      async fetch(queues, options) {
        const deliveries = await connection.fetch(queues, options)
        // As where an answer takes its time over the wire.
        await nextTurn()
        await nextTurn()
        return deliveries
      },
    })),
  },
  {
    fault: 'swallows an error',
    foundBy: 'refuses to publish to an exchange nobody declared, and publishes nothing of the call',
    alter: perConnection((connection) => ({
      publish: (publications, options) => connection.publish(publications, options).catch(() => {}),
    })),
  },
  {
    fault: 'inverts priority',
    foundBy: 'delivers the more urgent priority first',
    alter: perConnection((connection) => ({
      publish: (publications, options) =>
        connection.publish(
          publications.map((message) => withPriority(message, 9 - (message.message.properties.priority ?? 0))),
          options,
        ),
    })),
  },
  {
    fault: 'publishes the follow-ups of stale settlements',
    foundBy: 'publishes no follow-up of a stale settlement',
    alter: perConnection((connection) => ({
      async settle(settlements, options) {
        await connection.publish(
          settlements.flatMap(({ publish }) => publish ?? []),
          options,
        )
        return connection.settle(
          settlements.map(({ publish: _, ...rest }) => rest),
          options,
        )
      },
    })),
  },
  {
    fault: 'goes on fetching after an abort',
    foundBy: 'holds nothing after an aborted wait',
    alter: perConnection((connection) => ({
      fetch(queues, { max, signal }) {
        const { signal: never } = new AbortController()
        return abortable(connection.fetch(queues, { max, signal: never }), signal)
      },
    })),
  },
  {
    fault: 'delivers delayed messages at once',
    foundBy: 'delivers a delayed message not before its time',
    alter: perConnection((connection) => ({
      publish: (publications, options) =>
        connection.publish(
          publications.map(({ notBeforeMs: _, ...message }) => message),
          options,
        ),
    })),
  },
  {
    fault: 'limits dead letters only where it buries them itself',
    foundBy: 'keeps the newest 10,000 dead letters, whatever their priority and however they came there',
    alter: perConnection((connection) => {
      // Under another name a dead-letter queue is one like any other.
      const unlimited = (name: string) => (isDeadLetterQueue(name) ? `${name}-unlimited` : name)
      return {
        publish: (publications, options) =>
          connection.publish(
            publications.map((each) => ({ ...each, routingKey: unlimited(each.routingKey) })),
            options,
          ),
        declareQueue: (queue, options) => connection.declareQueue({ ...queue, name: unlimited(queue.name) }, options),
      }
    }),
  },
  {
    fault: 'keeps what it holds when it closes',
    foundBy: 'gives what it holds back at once when it closes, in order and uncounted',
    alter: perConnection(() => ({ close: async () => {} })),
  },
]

type Overrides = Partial<BrokerConnection>

/** Replaces some operations of every connection. */
function perConnection(override: (connection: BrokerConnection) => Overrides): (transport: Transport) => Transport {
  return (transport) => ({
    ...transport,
    async open(address, options) {
      const connection = await transport.open(address, options)
      return replace(connection, override(connection))
    },
  })
}

function replace(connection: BrokerConnection, overrides: Overrides): BrokerConnection {
  return new Proxy(connection, {
    get(target, key) {
      const source = key in overrides ? overrides : target
      const value: unknown = Reflect.get(source, key)
      return typeof value === 'function' ? value.bind(source) : value
    },
  })
}

function withPriority(publication: Publication, priority: number): Publication {
  const { message } = publication
  return { ...publication, message: { ...message, properties: { ...message.properties, priority } } }
}

/** Knows messages by their tag alone: whoever settles one last had it first. */
function acceptStale(transport: Transport): Transport {
  const fences = new Map<string, string | number>()
  return perConnection((connection) => ({
    async fetch(queues, options) {
      const deliveries = await connection.fetch(queues, options)
      for (const { tag, fence } of deliveries) fences.set(tag, fence)
      return deliveries
    },
    settle: (settlements, options) =>
      connection.settle(
        settlements.map((item) => {
          if (item.delivery === undefined) return item
          const { queue, tag, fence } = item.delivery
          return { ...item, delivery: { queue, tag, fence: fences.get(tag) ?? fence } }
        }),
        options,
      ),
  }))(transport)
}
