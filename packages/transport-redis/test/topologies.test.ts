/** A cluster and a primary that sentinels name: the same broker, on whichever server takes writes. */
import {
  isMissing,
  type RedisCluster,
  type RedisReplication,
  startRedisCluster,
  startRedisReplication,
} from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication, readBody } from '@celery/transport/testkit'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'

async function take(connection: BrokerConnection, count: number): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  while (deliveries.length < count) {
    const max = count - deliveries.length
    deliveries.push(...(await connection.fetch(['q'], { max, signal: AbortSignal.timeout(30_000) })))
  }
  return deliveries
}

/** Opens as soon as some server takes writes. */
async function open(url: string, transportOptions: Readonly<Record<string, unknown>>): Promise<BrokerConnection> {
  for (;;) {
    try {
      const connection = await redis.open(parseBrokerUrl(url), { session: 'one', transportOptions })
      onTestFinished(() => connection.close())
      return connection
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_CELERY_CONNECTION_LOST') throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

describe.skipIf(isMissing('redis'))('in a cluster', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startRedisCluster({ masters: 3 })
  }, 120_000)
  afterAll(() => cluster.close())

  test('all keys are in one slot, and every operation finds them there, also after they have moved', async () => {
    const first = await open(cluster.url, {})
    await first.declareExchange({ name: 'x', type: 'topic' })
    await first.bindQueue({ queue: 'q', exchange: 'x', routingKey: 'a.*' })
    const { message } = publication('q', 'routed')
    await first.publish([publication('q', 'a'), publication('q', 'b'), { exchange: 'x', routingKey: 'a.b', message }])
    const [a, b, routed] = (await take(first, 3)) as [Delivery, Delivery, Delivery]
    await first.settle([
      { delivery: a, action: { type: 'requeue', counted: true } },
      { delivery: b, action: { type: 'park', untilMs: Date.now() - 1 } },
    ])
    await cluster.moveSlot('{celery}')
    await expect(first.settle([{ delivery: routed }])).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    const next = await open(cluster.url, {})
    expect(await next.settle([{ delivery: routed }])).toEqual(['done'])
    const deliveries = await take(next, 2)
    expect(deliveries.map(readBody)).toEqual(['a', 'b'])
    expect(await next.settle(deliveries.map((delivery) => ({ delivery })))).toEqual(['done', 'done'])
  })
})

describe.skipIf(isMissing('redis'))('behind sentinels', () => {
  let replication: RedisReplication
  beforeAll(async () => {
    replication = await startRedisReplication({ replicas: 1, sentinels: 3 })
  }, 120_000)
  afterAll(() => replication.close())

  test('F-29: what is being worked on is settled on the next primary', async () => {
    const options = { master_name: replication.masterName }
    const first = await open(replication.url, options)
    await first.publish([publication('q', 'a'), publication('q', 'b')])
    const [a] = (await take(first, 1)) as [Delivery]
    const failed = first.closed.catch((error: unknown) => error)
    await replication.promote()
    // It is a replica now, or has been told to let go.
    await first.publish([publication('elsewhere', 'x')]).catch(() => {})
    expect(await failed).toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    const next = await open(replication.url, options)
    expect(await next.settle([{ delivery: a }])).toEqual(['done'])
    expect((await take(next, 1)).map(readBody)).toEqual(['b'])
  })
})
