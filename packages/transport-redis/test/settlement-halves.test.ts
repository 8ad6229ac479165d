/** A settlement that fails leaves nothing of itself, so that it can be repeated. */
import type { AtomicWrite } from '@celery/protocol'
import { openRedis, type RedisClient, RedisWrite } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl, type SettleAction } from '@celery/transport'
import { publication } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'

interface Obstacle {
  readonly name: string
  /** The key that is of another type. */
  readonly key: string
  readonly action: SettleAction
  readonly followUps: readonly string[]
}

const later = Date.now() + 3_600_000
const obstacles: readonly Obstacle[] = [
  { name: 'the queue of its second follow-up', key: 'bad', action: { type: 'ack' }, followUps: ['good', 'bad'] },
  { name: 'the list of dead letters', key: 'q.dead', action: { type: 'dead', reason: 'bad' }, followUps: ['good'] },
  { name: 'the queue that it goes back to', key: 'q', action: { type: 'requeue', counted: true }, followUps: ['good'] },
  { name: 'the queue that it is parked for', key: 'q', action: { type: 'park', untilMs: 1 }, followUps: ['good'] },
  {
    name: 'the times of what is parked',
    key: '_celery.eta',
    action: { type: 'park', untilMs: later },
    followUps: ['good'],
  },
  {
    name: 'the count of what is parked',
    key: '_celery.delayed',
    action: { type: 'park', untilMs: later },
    followUps: ['good'],
  },
  { name: 'the declarations of queues', key: '_celery.queues', action: { type: 'ack' }, followUps: ['good'] },
  { name: 'the set of its owner', key: '_celery.held.one', action: { type: 'ack' }, followUps: ['good'] },
  { name: 'the index of deliveries', key: 'unacked_index', action: { type: 'ack' }, followUps: ['good'] },
]

const actions = [
  { type: 'ack' },
  { type: 'requeue', counted: true },
  { type: 'park', untilMs: later },
  { type: 'dead', reason: 'bad' },
] as const satisfies readonly SettleAction[]
const pairs = actions.flatMap((first) => actions.map((second) => ({ first, second })))

describe.skipIf(isMissing('redis'))('P-2: a settlement that fails leaves nothing of itself', () => {
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

  test.each(obstacles)('where $name is a key of another type', async ({ key, action, followUps }) => {
    const connection = await redis.open(parseBrokerUrl(server.url), { session: 'one' })
    onTestFinished(() => connection.close())
    await connection.publish([publication('q', 'a')])
    const [delivery] = await take(connection)
    const settlement = {
      delivery: delivery as Delivery,
      action,
      publish: followUps.map((queue) => publication(queue, 'follow-up')),
      writes: [
        {
          domain: connection.domain ?? '',
          statement: new RedisWrite("redis.call('INCR', KEYS[1])", ['counter'], []),
        },
      ],
    }
    const wasThere = (await raw.send('RENAMENX', key, 'aside').catch(() => 0)) === 1
    await raw.send('SET', key, 'a string')
    await expect(connection.settle([settlement])).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED' })
    expect(await raw.send('EXISTS', 'good', 'counter')).toBe(0)
    await raw.send('DEL', key)
    if (wasThere) await raw.send('RENAME', 'aside', key)
    expect(await connection.settle([settlement])).toEqual(['done'])
    expect(await raw.send('LLEN', 'good')).toBe(1)
    expect(await raw.send('GET', 'counter')).toBe('1')
    expect(await raw.send('HLEN', 'unacked')).toBe(action.type === 'park' && action.untilMs === later ? 1 : 0)
  })

  test.each(['_celery.held.other', '_celery.held.one', 'unacked_index'])(
    'where %s is a key of another type, what is acknowledged together is',
    async (key) => {
      const connection = await redis.open(parseBrokerUrl(server.url), { session: 'one' })
      onTestFinished(() => connection.close())
      const other = await redis.open(parseBrokerUrl(server.url), { session: 'other' })
      onTestFinished(() => other.close())
      await connection.publish(['a', 'b', 'c'].map((body) => publication('q', body)))
      const [mine] = await take(connection)
      const [theirs] = await take(other)
      const [gone] = await take(other)
      await raw.send('HDEL', 'unacked', (gone as Delivery).tag)
      await raw.send('ZREM', 'unacked_index', (gone as Delivery).tag)
      await raw.send('DEL', key)
      await raw.send('SET', key, 'a string')
      const settlements = [mine, theirs, gone].map((delivery) => ({ delivery: delivery as Delivery }))
      expect(await connection.settle(settlements)).toEqual(['done', 'done', 'stale'])
      const left = ['_celery.held.other', '_celery.held.one', 'unacked_index'].filter((each) => each !== key)
      expect(await raw.send('EXISTS', 'unacked', ...left)).toBe(0)
    },
  )

  test.each(pairs)(
    'once where one call settles it twice, by $first.type and $second.type',
    async ({ first, second }) => {
      const connection = await redis.open(parseBrokerUrl(server.url), { session: 'one' })
      onTestFinished(() => connection.close())
      await connection.publish([publication('q', 'a')])
      const [delivery] = await take(connection)
      const settlements = [first, second].map((action) => ({
        delivery: delivery as Delivery,
        action,
        writes: [counting(connection)],
      }))
      expect(await connection.settle(settlements)).toEqual(['done', 'stale'])
      const isParked = first.type === 'park' ? 1 : 0
      expect(await raw.send('GET', 'counter')).toBe('1')
      expect([await raw.send('HLEN', 'unacked'), await raw.send('ZCARD', 'unacked_index')]).toEqual([
        isParked,
        isParked,
      ])
      expect(await raw.send('SCARD', '_celery.held.one')).toBe(0)
      expect(await raw.send('LLEN', 'q')).toBe(first.type === 'requeue' ? 1 : 0)
      expect(await raw.send('LLEN', 'q.dead')).toBe(first.type === 'dead' ? 1 : 0)
    },
  )

  test('whatever is settled together, of whatever form and in whatever order', async () => {
    const connection = await redis.open(parseBrokerUrl(server.url), { session: 'one' })
    onTestFinished(() => connection.close())
    await connection.publish(Array.from({ length: 1_200 }, (_, index) => publication('q', String(index))))
    const deliveries: Delivery[] = []
    while (deliveries.length < 1_200) deliveries.push(...(await take(connection, 1_200)))
    const settlements = deliveries.map((delivery, index) => ({
      delivery,
      action: actions[index % 5] ?? actions[0],
      writes: Array.from({ length: index % 3 }, () => counting(connection)),
      publish: index % 7 === 0 ? [publication('good', 'x'), publication('good', 'y')] : [],
    }))
    expect(new Set(await connection.settle(settlements))).toEqual(new Set(['done']))
    expect(await raw.send('GET', 'counter')).toBe('1200')
    expect(await raw.send('LLEN', 'good')).toBe(2 * 172)
    const lengths = await Promise.all(['q', 'q.dead'].map((list) => raw.send('LLEN', list)))
    // Of each five one goes back, one is parked and one is a dead letter.
    expect([...lengths, await raw.send('HLEN', 'unacked')]).toEqual([240, 240, 240])
    expect(await raw.send('ZCARD', 'unacked_index')).toBe(240)
  })

  describe('a follow-up that goes with a delivery that is gone leaves once', () => {
    async function open() {
      const connection = await redis.open(parseBrokerUrl(server.url), { session: 'one' })
      onTestFinished(() => connection.close())
      await connection.publish([publication('q', 'a')])
      const [delivery] = await take(connection)
      await raw.send('HDEL', 'unacked', (delivery as Delivery).tag)
      const followUp = { publish: [publication('good', 'follow-up')] }
      return { connection, settlements: [followUp, { ...followUp, delivery: delivery as Delivery }] }
    }

    test('where the hash of deliveries is a key of another type', async () => {
      const { connection, settlements } = await open()
      await raw.send('SET', 'unacked', 'a string')
      await expect(connection.settle(settlements)).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED' })
      expect(await raw.send('EXISTS', 'good')).toBe(0)
      await raw.send('DEL', 'unacked')
      expect(await connection.settle(settlements)).toEqual(['done', 'stale'])
      expect(await raw.send('LLEN', 'good')).toBe(1)
    })

    test('where the set of its owner is a key of another type', async () => {
      const { connection, settlements } = await open()
      await raw.send('SET', '_celery.held.one', 'a string')
      expect(await connection.settle(settlements)).toEqual(['done', 'stale'])
      expect(await raw.send('LLEN', 'good')).toBe(1)
    })
  })
})

function counting({ domain = '' }: BrokerConnection): AtomicWrite {
  return { domain, statement: new RedisWrite("redis.call('INCR', KEYS[1])", ['counter'], []) }
}

async function take(connection: BrokerConnection, max = 1): Promise<readonly Delivery[]> {
  return await connection.fetch(['q'], { max, signal: AbortSignal.timeout(8_000) })
}
