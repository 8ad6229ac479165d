/** What becomes of a lost owner where nobody keeps leases by a thread of its own. */
import { openRedis, type RedisClient } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { type BrokerConnection, parseBrokerUrl } from '@celery/transport'
import { publication, readBody } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'
import { kill } from './redis-under-test.ts'

describe.skipIf(isMissing('redis'))('taking over without a lease keeper', () => {
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

  async function open(session: string, leaseMs = 30_000): Promise<BrokerConnection> {
    const connection = await redis.open(parseBrokerUrl(server.url), {
      leaseMs,
      session,
      transportOptions: { client_name: session, takeover_grace: 60 },
    })
    onTestFinished(() => connection.close())
    return connection
  }

  /** An owner that holds a message and dies. */
  async function lose(session: string, leaseMs?: number): Promise<void> {
    const connection = await open(session, leaseMs)
    await connection.publish([publication('q', 'a')])
    await take(connection)
    const closed = connection.closed.catch(() => {})
    await kill(raw, session)
    await closed
  }

  /** As if so much time had passed since anybody did anything. */
  async function standStill(session: string, ms: number): Promise<void> {
    await raw.send('ZINCRBY', '_celery.owners', -ms, session)
    await raw.send('SET', '_celery.renewed', Number(await raw.send('GET', '_celery.renewed')) - ms)
  }

  test('P-3: a fetch that waits and holds nothing gets what a lost owner held as soon as its lease has ended', async () => {
    await lose('lost', 1_000)
    const startedAt = performance.now()
    const [delivery] = await take(await open('waits', 1_000))
    expect(delivery).toMatchObject({ redeliveries: 1 })
    // The grace, which is a lease here, is for leases that nobody could renew.
    expect(performance.now() - startedAt).toBeLessThan(1_900)
  })

  test('P-3: whoever fetches but now and then gives a lost owner the grace once', async () => {
    await lose('lost')
    await standStill('lost', 60_000)
    const rare = await open('rare')
    await rare.declareQueue({ name: 'q' })
    expect(await raw.send('LLEN', 'q')).toBe(0)
    await standStill('lost', 60_000)
    expect((await take(rare)).map(readBody)).toEqual(['a'])
  })

  test('P-2: an owner that renewed after the grace gets it again', async () => {
    await lose('lives')
    const [rare, lives] = [await open('rare'), await open('lives')]
    for (let round = 0; round < 3; round++) {
      await standStill('lives', 60_000)
      await rare.declareQueue({ name: 'q' })
      expect(await raw.send('LLEN', 'q')).toBe(0)
      const [tag = ''] = (await raw.send('HKEYS', 'unacked')) as string[]
      expect(await lives.renew([{ queue: 'q', tag, fence: tag }])).toEqual(['done'])
    }
  })

  test('a key of another type, where somebody wrote one, stops nobody', async () => {
    await raw.send('RPUSH', '_celery.renewed', 'junk')
    const connection = await open('any')
    await connection.publish([publication('q', 'a')])
    expect((await take(connection)).map(readBody)).toEqual(['a'])
  })
})

async function take(connection: BrokerConnection) {
  return await connection.fetch(['q'], { max: 1, signal: AbortSignal.timeout(8_000) })
}
