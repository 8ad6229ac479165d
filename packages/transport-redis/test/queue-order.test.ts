/** The order in which several queues are served, and the names of their lists. */
import { openRedis, type RedisClient } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication, readBody, textMessage } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'

describe.skipIf(isMissing('redis'))('TRAN-025', () => {
  let server: RedisServer
  let raw: RedisClient
  beforeAll(async () => {
    server = await startRedis()
    raw = await openRedis(parseBrokerUrl(server.url))
  })
  beforeEach(async () => {
    await raw.send('FLUSHALL')
  })
  afterAll(async () => {
    await raw.close()
    await server.close()
  })

  async function open(transportOptions: Readonly<Record<string, unknown>>): Promise<BrokerConnection> {
    const connection = await redis.open(parseBrokerUrl(server.url), { transportOptions })
    onTestFinished(() => connection.close())
    return connection
  }

  async function next(connection: BrokerConnection, queues: readonly string[], max = 1): Promise<readonly Delivery[]> {
    return await connection.fetch(queues, { max, signal: AbortSignal.timeout(30_000) })
  }

  test.each([
    ['round_robin', ['c1', 'a1', 'b1', 'c2', 'a2', 'b2']],
    ['sorted', ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']],
    ['priority', ['c1', 'c2', 'a1', 'a2', 'b1', 'b2']],
  ])('queue_order_strategy %s serves several queues in its order', async (order, bodies) => {
    const connection = await open({ queue_order_strategy: order })
    const queues = ['c', 'a', 'b']
    await connection.publish(queues.flatMap((queue) => ['1', '2'].map((n) => publication(queue, `${queue}${n}`))))
    const served: string[] = []
    while (served.length < bodies.length) served.push(...(await next(connection, queues)).map(readBody))
    expect(served).toEqual(bodies)
  })

  test('a message of a better priority goes before the order of the queues', async () => {
    const connection = await open({ queue_order_strategy: 'sorted' })
    const urgent = { exchange: '', routingKey: 'b', message: textMessage('urgent', { priority: 0 }) }
    await connection.publish([{ exchange: '', routingKey: 'a', message: textMessage('late', { priority: 9 }) }, urgent])
    expect((await next(connection, ['a', 'b'])).map(readBody)).toEqual(['urgent'])
  })

  test('sep and priority_steps name the lists of a queue, and bindings, as Python names them', async () => {
    const connection = await open({ sep: ':', priority_steps: [0, 5] })
    await connection.declareExchange({ name: 'x', type: 'direct' })
    await connection.declareQueue({ name: 'q' })
    await connection.bindQueue({ exchange: 'x', queue: 'q', routingKey: 'key' })
    for (const priority of [9, 5, 4]) {
      await connection.publish([
        { exchange: 'x', routingKey: 'key', message: textMessage(`p${priority}`, { priority }) },
      ])
    }
    expect(await raw.send('SMEMBERS', '_kombu.binding.x')).toEqual(['key::q'])
    expect([await raw.send('LLEN', 'q'), await raw.send('LLEN', 'q:5')]).toEqual([1, 2])
    const [first, ...others] = [...(await next(connection, ['q'], 3))] as [Delivery, ...Delivery[]]
    expect([first, ...others].map(readBody)).toEqual(['p4', 'p9', 'p5'])
    // Each goes back where it came from.
    await connection.settle(
      [first, ...others].map((delivery) => ({ delivery, action: { type: 'requeue', counted: true } })),
    )
    expect([await raw.send('LLEN', 'q'), await raw.send('LLEN', 'q:5')]).toEqual([1, 2])
    expect(await connection.deleteQueue('q')).toBe(3)
    expect(await raw.send('EXISTS', 'q', 'q:5', '_kombu.binding.x', 'unacked')).toBe(0)
  })
})
