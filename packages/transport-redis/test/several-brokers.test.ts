/** A session that goes from one broker to another and comes back. */
import { openRedis, type RedisClient } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication, readBody } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'

describe.skipIf(isMissing('redis'))('with several brokers', () => {
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

  /** Databases are as far apart as servers. */
  async function open(session: string, database: number): Promise<BrokerConnection> {
    const url = new URL(server.url)
    url.pathname = `/${database}`
    const connection = await redis.open(parseBrokerUrl(url.href), { session })
    onTestFinished(() => connection.close())
    return connection
  }

  test('P-3: what was dropped at the second is given back on the way back to the first, and the rest is kept', async () => {
    const first = await open('moves', 0)
    await first.publish(['dropped', 'kept'].map((body) => publication('q', body)))
    const [dropped, kept] = await take(first, 2)
    await first.close({ sessionGoesOn: true })
    const second = await open('moves', 1)
    expect(await second.renew([dropped as Delivery])).toEqual(['stale'])
    await second.close({ sessionGoesOn: true })
    const again = await open('moves', 0)
    const [delivery] = await take(await open('other', 0), 1)
    expect([readBody(delivery as Delivery), delivery?.redeliveries]).toEqual(['dropped', 0])
    expect(await again.settle([{ delivery: kept as Delivery }])).toEqual(['done'])
    expect(await raw.send('LLEN', 'q')).toBe(0)
  })
})

async function take(connection: BrokerConnection, max: number): Promise<readonly Delivery[]> {
  return await connection.fetch(['q'], { max, signal: AbortSignal.timeout(8_000) })
}
