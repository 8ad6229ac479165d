import { describe, expect, test } from 'vitest'
import { connectionPool, producerPool, Queue } from '../src/index.ts'
import { brokers } from './brokers.ts'
import { setUp } from './set-up.ts'

describe.each(brokers)('MSG-015 pools on $name', ({ open }) => {
  test('connections of a pool are connections of their own, and go to the same broker', async () => {
    const connection = open().connect()
    await using pool = connectionPool(connection, { limit: 2 })
    await using one = await pool.acquire()
    await using two = await pool.acquire()
    const [first, second] = [await one.resource.broker(), await two.resource.broker()]
    expect(first).not.toBe(second)
    await new Queue('q').declare(one.resource)
    await first.publish([{ exchange: '', routingKey: 'q', message: letter }])
    expect((await new Queue('q').info(two.resource)).ready).toBe(1)
    await expect(pool.acquire({ block: false })).rejects.toMatchObject({ code: 'ERR_CELERY_LIMIT_EXCEEDED' })
  })

  test('producers of a pool publish', async () => {
    const connection = open().connect()
    await using pool = producerPool({ connection, routingKey: 'q' }, { limit: 3 })
    await Promise.all(Array.from({ length: 20 }, (_, n) => pool.use((producer) => producer.publish(n))))
    expect((await new Queue('q').info(connection)).ready).toBe(20)
    expect(pool.size).toBeLessThanOrEqual(3)
  })
})

test('MSG-015 a closed pool leaves no connection open, but the one that it was made from', async () => {
  const { connection, transport } = setUp()
  await connection.broker()
  const pool = connectionPool(connection)
  const producers = producerPool({ connection, routingKey: 'q' })
  await (await pool.acquire()).resource.broker()
  await producers.use((producer) => producer.publish('1'))
  expect(transport.openConnections).toBe(3)
  await pool.close()
  await producers.close()
  expect(transport.openConnections).toBe(1)
})

test('MSG-015 a connection of a pool that was lost is replaced by itself', async () => {
  const { connection, transport } = setUp()
  await using pool = connectionPool(connection, { limit: 1 })
  const publish = () =>
    pool.use((each) => each.ensure((broker) => broker.publish([{ exchange: '', routingKey: 'q', message: letter }])))
  await publish()
  await transport.cut()
  await publish()
  expect((await new Queue('q').info(connection)).ready).toBe(2)
})

const letter = { body: 'a', contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }
