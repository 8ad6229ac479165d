/** What becomes of messages where a key of the broker turns out to be of another type. */
import { openRedis, type RedisClient, RedisWrite } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication, readBody } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'

describe.skipIf(isMissing('redis'))('where a key is of another type', () => {
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

  async function open(leaseMs = 30_000): Promise<BrokerConnection> {
    const connection = await redis.open(parseBrokerUrl(server.url), {
      leaseMs,
      transportOptions: { takeover_grace: 0 },
    })
    onTestFinished(() => connection.close())
    return connection
  }

  async function taken(connection: BrokerConnection): Promise<Delivery> {
    await connection.publish([publication('q', 'a')])
    const [delivery] = await take(connection)
    return delivery as Delivery
  }

  test.each([['unacked'], ['unacked_index']])('%s: nothing leaves its list', async (key) => {
    const connection = await open()
    await connection.publish(['a', 'b', 'c'].map((body) => publication('q', body)))
    await raw.send('SET', key, 'a string')
    await expect(take(connection, 2)).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED' })
    expect(await raw.send('LLEN', 'q')).toBe(3)
    await raw.send('DEL', key)
    expect((await take(connection, 3)).map(readBody)).toEqual(['a', 'b', 'c'])
  })

  test.each([
    [{ type: 'requeue', counted: false }, 'q'],
    [{ type: 'requeue', counted: true }, 'q'],
    [{ type: 'park', untilMs: 0 }, 'q'],
    [{ type: 'dead', reason: 'why not' }, 'q.dead'],
    [{ type: 'park', untilMs: 8e12 }, '_celery.eta'],
  ] as const)('a delivery stays ours until it can go: %j to %s', async (action, key) => {
    const connection = await open()
    const delivery = await taken(connection)
    await raw.send('SET', key, 'a string')
    await expect(connection.settle([{ delivery, action }])).rejects.toThrow('WRONGTYPE')
    expect(await raw.send('HLEN', 'unacked')).toBe(1)
    await raw.send('DEL', key)
    expect(await connection.settle([{ delivery, action }])).toEqual(['done'])
    expect(await raw.send('EXISTS', key)).toBe(1)
  })

  test('a delivery is not settled without its result, whatever way the write fails', async () => {
    const connection = await open()
    const delivery = await taken(connection)
    await raw.send('SET', 'result', 'a string')
    for (const command of ['call', 'pcall']) {
      const statement = new RedisWrite(`return redis.${command}('LPUSH', KEYS[1], 'x')`, ['result'], [])
      const writes = [{ domain: connection.domain ?? '', statement }]
      await expect(connection.settle([{ delivery, writes }])).rejects.toThrow('WRONGTYPE')
      expect(await raw.send('HLEN', 'unacked')).toBe(1)
    }
  })

  test('settling twice what goes back gives it back once', async () => {
    const connection = await open()
    const delivery = await taken(connection)
    const settlement = { delivery, action: { type: 'requeue', counted: false } } as const
    expect(await connection.settle([settlement, settlement])).toEqual(['done', 'stale'])
    expect(await raw.send('LLEN', 'q')).toBe(1)
  })

  test('what a closed connection could not give back is taken over once that is possible', async () => {
    const connection = await open(500)
    await taken(connection)
    await raw.send('SET', 'q', 'a string')
    await connection.close()
    expect(await raw.send('HLEN', 'unacked')).toBe(1)
    await raw.send('DEL', 'q')
    expect((await take(await open(500))).map(readBody)).toEqual(['a'])
  })

  test('what a lost owner held waits for its list, and others go on', async () => {
    const connection = await open()
    const delivery = await taken(connection)
    const [session = ''] = delivery.tag.split('.')
    await raw.send('ZADD', '_celery.owners', 1, session)
    await raw.send('SET', 'q', 'a string')
    const other = await open()
    await other.publish([publication('other', 'b')])
    expect((await take(other, 1, 'other')).map(readBody)).toEqual(['b'])
    await raw.send('DEL', 'q')
    const [again] = await take(other)
    expect(again).toMatchObject({ redeliveries: 1 })
    expect(await connection.settle([{ delivery }])).toEqual(['stale'])
  })

  test('a table of a session that is none keeps nobody from their queues', async () => {
    await raw.send('ZADD', '_celery.owners', 1, 'odd')
    await raw.send('SET', '_celery.held.odd', 'a string')
    const connection = await open()
    expect(await taken(connection)).toMatchObject({ redeliveries: 0 })
    await connection.declareQueue({ name: 'q' })
  })

  test('what is parked waits for its list', async () => {
    const connection = await open()
    const delivery = await taken(connection)
    await connection.settle([{ delivery, action: { type: 'park', untilMs: Date.now() + 60_000 } }])
    const [tag] = (await raw.send('ZRANGE', '_celery.eta', 0, -1)) as [string]
    await raw.send('SET', 'q', 'a string')
    await raw.pipeline([
      ['ZADD', '_celery.eta', 1, tag],
      ['ZADD', '_celery.eta', 1, 'no tag'],
    ])
    await connection.declareQueue({ name: 'other' })
    expect(await raw.send('HLEN', 'unacked')).toBe(1)
    expect(await raw.send('ZRANGE', '_celery.eta', 0, -1)).toEqual([tag])
    await raw.send('DEL', 'q')
    await raw.send('ZADD', '_celery.eta', 1, tag)
    expect((await take(connection)).map(readBody)).toEqual(['a'])
    expect(await raw.send('EXISTS', '_celery.eta', '_celery.delayed')).toBe(0)
  })
})

async function take(connection: BrokerConnection, count = 1, queue = 'q'): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  while (deliveries.length < count) {
    const max = count - deliveries.length
    deliveries.push(...(await connection.fetch([queue], { max, signal: AbortSignal.timeout(30_000) })))
  }
  return deliveries
}
