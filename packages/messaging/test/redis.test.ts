import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Deferred, deferred } from '@celery/promises'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import type { BrokerConnection } from '@celery/transport'
import { redis } from '@celery/transport-redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  Broadcast,
  Connection,
  Consumer,
  type IncomingMessage,
  MessageConsumer,
  MessageProducer,
  Producer,
  Queue,
  TransportRegistry,
} from '../src/index.ts'
import { publication } from './set-up.ts'

const timeoutMs = 120_000

/** Short, so that a server that does not answer is found in time for a test. */
const transportOptions = { socket_timeout: 1, socket_connect_timeout: 5, health_check_interval: 1 }

describe.skipIf(isMissing('redis'))('a supervised connection to Redis', () => {
  test(
    'F-16 goes on with what it holds when the server was killed and comes back',
    async () => {
      const server = await start({ appendOnly: true })
      const { consumer, connection, publish, until } = await setUp(server)
      await publish('before')
      const [held] = await until(1)
      await server.kill()
      await server.restart()
      await publish('after')
      await until(2)
      const broker = await connection.broker()
      expect(await broker.settle([{ delivery: held!.delivery }])).toEqual(['done'])
      await consumer.stop()
    },
    timeoutMs,
  )

  test(
    'F-32 finds that a server is silent while it waits, and what it holds stays its own',
    async () => {
      const server = await start()
      const { connection, errors, publish, until, consuming } = await setUp(server)
      await publish('before')
      const [held] = await until(1)
      const again = consuming()
      server.pause()
      await errors()
      server.resume()
      await again
      await publish('after')
      await until(2)
      expect(await (await connection.broker()).settle([{ delivery: held!.delivery }])).toEqual(['done'])
    },
    timeoutMs,
  )

  test(
    'F-29 connects again where the server takes no writes any more, and consumes the same queues when one does',
    async () => {
      const [server, primary] = [await start(), await start()]
      const { connection, publish, until, consuming, errors } = await setUp(server)
      await publish('before')
      await until(1)
      const again = consuming()
      const failed = errors()
      await server.send('REPLICAOF', primary.host, String(primary.port))
      const refused = new Producer({ connection, publishTimeoutMs: 3_000 })
      await expect(refused.publish(publication('refused'))).rejects.toMatchObject({
        code: expect.stringMatching(/CONNECTION_LOST|PUBLISH_TIMEOUT/),
      })
      await failed
      await server.send('REPLICAOF', 'NO', 'ONE')
      await again
      await publish('after')
      const received = await until(2)
      expect(received.map(({ message }) => message?.body)).toContain('after')
    },
    timeoutMs,
  )

  test(
    'F-25 goes to the next broker when its own is gone, and consumes there',
    async () => {
      const [first, second] = [await start(), await start()]
      const { connection, publish, until } = await setUp(first, second)
      await publish('first')
      await until(1)
      await first.kill()
      await publish('second')
      const received = await until(2)
      expect(received.map(({ message }) => message?.body)).toEqual(['first', 'second'])
      expect(connection.server.port).toBe(second.port)
    },
    timeoutMs,
  )

  test(
    'hears broadcasts again, and takes from its queue, when the connection that listens was lost',
    async () => {
      const server = await start()
      const connection = connectionTo(server)
      const broadcast = new Broadcast('news')
      const errors = deferred()
      const consumer = new MessageConsumer({
        connection,
        queues: [broadcast, new Queue('q')],
        onError: () => errors.resolve(),
      })
      onTestFinished(() => consumer.close())
      await consumer.start()
      const producer = new MessageProducer({ connection: connectionTo(server) })
      const next = async (): Promise<unknown> => {
        const message = await consumer.next()
        await message?.ack()
        return message?.payload
      }
      await producer.publish('heard', { exchange: broadcast.exchange })
      expect(await next()).toBe('heard')
      await server.send('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await errors.promise
      // What is shouted while nobody listens is lost, as with Python.
      while ((await server.send('PUBSUB', 'NUMSUB', '/0.news'))?.toString() !== '/0.news,1') await nextTurn()
      await producer.publish('heard again', { exchange: broadcast.exchange })
      expect(await next()).toBe('heard again')
      await producer.publish('stored', { routingKey: 'q' })
      expect(await next()).toBe('stored')
      expect(await server.send('SMEMBERS', '_kombu.binding.news')).toHaveLength(1)
      await consumer.close()
      await connection.close()
      expect(await server.send('SMEMBERS', '_kombu.binding.news')).toEqual([])
    },
    timeoutMs,
  )

  test(
    'a message beside one that is refused is published once',
    async () => {
      const server = await start()
      await server.send('SET', 'wrong', 'a string')
      const producer = new Producer({ connection: connectionTo(server) })
      const results = await Promise.allSettled([
        producer.publish(publication('a')),
        producer.publish(publication('b')),
        producer.publish(publication('c', 'wrong')),
      ])
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
      expect(await server.send('LLEN', 'q')).toBe(2)
    },
    timeoutMs,
  )

  test(
    'P-5 a message under way when somebody else discards the connection is published once',
    async () => {
      const server = await start()
      const connection = connectionTo(server)
      const retryPolicy = { maxRetries: null, intervalStart: 0, intervalStep: 0.1, intervalMax: 0.2 }
      const producer = new Producer({ connection, publishTimeoutMs: 60_000, retryPolicy })
      await producer.publish(publication('before'))
      const broker = await connection.broker()
      server.pause()
      const published = producer.publish(publication('under way'))
      await nextTurn()
      const discarded = connection.discard(broker)
      await nextTurn()
      server.resume()
      await Promise.all([published, discarded])
      expect(await server.send('LLEN', 'q')).toBe(2)
    },
    timeoutMs,
  )

  test(
    'F-26 F-28 declares again what somebody has flushed',
    async () => {
      const server = await start()
      const { declared, publish, until } = await setUp(server, undefined, { checkMs: 100 })
      await publish('before')
      await until(1)
      await server.send('FLUSHALL')
      const binding = '_kombu.binding.x'
      while ((await server.send('SCARD', binding)) !== 1) await declared()
      const broker = await connectionTo(server).broker()
      await broker.publish([{ ...publication('after'), exchange: 'x', routingKey: 'key' }])
      const received = await until(2)
      expect(received.map(({ message }) => message?.body)).toEqual(['before', 'after'])
    },
    timeoutMs,
  )
})

async function start(options: Parameters<typeof startRedis>[0] = {}): Promise<RedisServer> {
  const server = await startRedis(options)
  onTestFinished(() => server.close())
  return server
}

function connectionTo(...servers: readonly (RedisServer | undefined)[]): Connection {
  const transports = new TransportRegistry().register('redis', async () => redis)
  const urls = servers.flatMap((server) => (server === undefined ? [] : [server.url]))
  const connection = new Connection({ urls, transports, open: { transportOptions } })
  onTestFinished(() => connection.close())
  return connection
}

/** A consumer of queue `q`, which is bound to a direct exchange as well, and a producer over the same connection. */
async function setUp(first: RedisServer, second?: RedisServer, { checkMs = 30_000 } = {}) {
  const connection = connectionTo(first, second)
  const received: IncomingMessage[] = []
  const events = { received: new Event(), consuming: new Event(), errors: new Event(), declared: new Event() }
  const consumer = new Consumer({
    connection,
    checkMs,
    queues: [{ name: 'q' }],
    async declare(broker: BrokerConnection, options) {
      await broker.declareExchange({ name: 'x', type: 'direct' }, options)
      await broker.declareQueue({ name: 'q' }, options)
      await broker.bindQueue({ queue: 'q', exchange: 'x', routingKey: 'key' }, options)
      events.declared.tell()
    },
    capacity: () => 100,
    onMessages(messages) {
      received.push(...messages)
      events.received.tell()
    },
    onError: () => events.errors.tell(),
    onConsuming: () => events.consuming.tell(),
  })
  onTestFinished(() => consumer.stop())
  await consumer.start()
  const producer = new Producer({
    connection,
    publishTimeoutMs: 60_000,
    retryPolicy: { maxRetries: null, intervalStart: 0.1, intervalStep: 0.1, intervalMax: 1 },
  })
  return {
    connection,
    consumer,
    publish: (body: string) => producer.publish(publication(body)),
    /** Resolves when so many messages have come in all, to these. */
    async until(count: number): Promise<readonly IncomingMessage[]> {
      while (received.length < count) await events.received.next()
      return received
    },
    consuming: () => events.consuming.next(),
    errors: () => events.errors.next(),
    declared: () => events.declared.next(),
  }
}

/** Something that happens again and again. */
class Event {
  #next: Deferred<void> = deferred()

  next(): Promise<void> {
    return this.#next.promise
  }

  tell(): void {
    this.#next.resolve()
    this.#next = deferred()
  }
}
