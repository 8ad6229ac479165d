/** How long messages live in a queue with a time to live, which the server keeps for a list as a whole. */
import { openRedis, type RedisClient } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication, readBody, textMessage } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'

const ttlMs = 600_000

describe.skipIf(isMissing('redis'))('the time to live of messages', () => {
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

  async function open(): Promise<BrokerConnection> {
    const connection = await redis.open(parseBrokerUrl(server.url))
    onTestFinished(() => connection.close())
    return connection
  }

  async function left(list = 'q'): Promise<number> {
    return Number(await raw.send('PTTL', list))
  }

  async function receivedBytes(): Promise<number> {
    return Number(/total_net_input_bytes:(\d+)/.exec(String(await raw.send('INFO', 'stats')))?.[1])
  }

  test('counts from the last one that was put: none goes before its time', async () => {
    const connection = await open()
    await connection.declareQueue({ name: 'q', messageTtlMs: ttlMs })
    await connection.publish([publication('q', 'a')])
    expect(await left()).toBeGreaterThan(ttlMs / 2)
    await raw.send('PEXPIRE', 'q', 1_000)
    await connection.publish([publication('q', 'b')])
    expect(await left()).toBeGreaterThan(ttlMs / 2)
    expect(await raw.send('LLEN', 'q')).toBe(2)
  })

  test('is one for each priority', async () => {
    const connection = await open()
    await connection.declareQueue({ name: 'q', messageTtlMs: ttlMs })
    await connection.publish([publication('q', 'a')])
    await raw.send('PEXPIRE', 'q', 1_000)
    await connection.publish([{ exchange: '', routingKey: 'q', message: textMessage('b', { priority: 9 }) }])
    expect(await left('q\x06\x169')).toBeGreaterThan(ttlMs / 2)
    expect(await left()).toBeLessThanOrEqual(1_000)
  })

  test('is not that of a message which came back: it was delivered in time', async () => {
    const connection = await open()
    await connection.declareQueue({ name: 'q', messageTtlMs: ttlMs })
    await connection.publish([publication('q', 'a')])
    const [delivery] = await connection.fetch(['q'], { max: 1, signal: AbortSignal.timeout(30_000) })
    await connection.settle([{ delivery: delivery as Delivery, action: { type: 'requeue', counted: false } }])
    expect(await left()).toBe(-1)
    expect((await connection.fetch(['q'], { max: 1, signal: AbortSignal.timeout(30_000) })).map(readBody)).toEqual([
      'a',
    ])
  })

  test.each([
    [0, 1],
    [0.25, 1],
    [ttlMs + 0.5, ttlMs + 1],
  ])('of %d milliseconds is one in whole ones', async (messageTtlMs, whole) => {
    const connection = await open()
    await connection.declareQueue({ name: 'q', messageTtlMs, expiresMs: messageTtlMs })
    const kept = JSON.parse(String(await raw.send('HGET', '_celery.queues', 'q')))
    expect(kept).toEqual({ messageTtlMs: whole, expiresMs: whole })
    await connection.publish([publication('q', 'a')])
    const time = await left()
    expect(time).toBeLessThanOrEqual(whole)
    // Either it has gone, or it will.
    expect(time).not.toBe(-1)
  })

  test.each([
    ['a plain queue', {}],
    ['a queue that goes away without use', { expiresMs: ttlMs }],
    ['a queue with a time to live', { messageTtlMs: ttlMs }],
  ])('costs no second transfer of a message to %s', async (_, declaration) => {
    const connection = await open()
    await connection.declareQueue({ name: 'other', messageTtlMs: ttlMs })
    await connection.declareQueue({ name: 'q', ...declaration })
    // The server knows the scripts, and the connection the queue.
    for (let count = 0; count < 2; count++) await connection.publish([publication('q', 'a')])
    const before = await receivedBytes()
    const size = 1_000_000
    await connection.publish([publication('q', 'x'.repeat(size))])
    expect(await receivedBytes()).toBeLessThan(before + 1.9 * size)
  })

  test.each([
    ['gets', {}, { messageTtlMs: ttlMs }],
    ['loses', { messageTtlMs: ttlMs }, {}],
  ])('shows at once where a queue %s one as it is declared anew', async (_, before, after) => {
    const [connection, other] = [await open(), await open()]
    await other.declareQueue({ name: 'q', ...before })
    await connection.publish([publication('q', 'a')])
    await other.deleteQueue('q')
    await other.declareQueue({ name: 'q', ...after })
    await connection.publish([publication('q', 'b')])
    if ('messageTtlMs' in after) expect(await left()).toBeGreaterThan(ttlMs / 2)
    else expect(await left()).toBe(-1)
  })
})
