/** What becomes of queues that end with a session, or without use. */
import { openRedis, type RedisClient } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'
import { kill } from './redis-under-test.ts'

const leaseMs = 30_000

describe.skipIf(isMissing('redis'))('a queue', () => {
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

  async function open(session: string, options: { readonly leaseMs?: number } = {}): Promise<BrokerConnection> {
    const connection = await redis.open(parseBrokerUrl(server.url), {
      leaseMs: options.leaseMs ?? leaseMs,
      session,
      transportOptions: { client_name: session, takeover_grace: 0 },
    })
    onTestFinished(() => connection.close())
    return connection
  }

  /** The process of that session is gone, and the time of its lease is over. */
  async function crash(session: string, connection: BrokerConnection): Promise<void> {
    const closed = connection.closed.catch(() => {})
    await kill(raw, session)
    await closed
    await raw.send('ZADD', '_celery.owners', 'XX', 1, session)
  }

  async function waitInVain(connection: BrokerConnection, queue: string): Promise<void> {
    await expect(connection.fetch([queue], { max: 1, signal: AbortSignal.timeout(100) })).rejects.toThrow()
  }

  test('goes with its session that never fetched, if it was exclusive', async () => {
    const connection = await open('gone')
    await connection.declareExchange({ name: 'x', type: 'direct' })
    await connection.declareQueue({ name: 'mine', exclusive: true })
    await connection.bindQueue({ queue: 'mine', exchange: 'x', routingKey: 'key' })
    await connection.publish([publication('mine', 'a')])
    await crash('gone', connection)
    await (await open('other')).declareQueue({ name: 'q' })
    expect(await keys()).toEqual(['_celery.exchanges', '_celery.mark', '_celery.put', '_celery.renewed'])
  })

  test('goes with the last one that fetched from it, if it was to be deleted then, though nothing ever came', async () => {
    const [first, second] = [await open('first'), await open('second')]
    await first.declareQueue({ name: 'shared', autoDelete: true })
    await waitInVain(first, 'shared')
    await waitInVain(second, 'shared')
    await first.publish([publication('shared', 'a')])
    const other = await open('other')
    await crash('first', first)
    await other.declareQueue({ name: 'q' })
    expect(await raw.send('LLEN', 'shared')).toBe(1)
    await crash('second', second)
    await other.declareQueue({ name: 'q' })
    expect(await keys()).toEqual(['_celery.mark', '_celery.put', '_celery.renewed'])
  })

  test('stays, if it is exclusive, as long as its session is there, whatever that does', async () => {
    const connection = await open('idle', { leaseMs: 400 })
    await connection.declareQueue({ name: 'mine', exclusive: true })
    const ends = async (): Promise<number> => Number(await raw.send('ZSCORE', '_celery.owners', 'idle'))
    const first = await ends()
    // It has renewed its lease several times.
    while ((await ends()) < first + 1_000) await new Promise((resolve) => setTimeout(resolve, 20))
    await (await open('other')).declareQueue({ name: 'q' })
    expect(await raw.send('SMEMBERS', '_celery.exclusive.idle')).toEqual(['mine'])
    await connection.close()
    expect(await keys()).toEqual(['_celery.mark', '_celery.renewed'])
  })

  test('that was exclusive once, and is there for others now, does not go with that session', async () => {
    const connection = await open('before')
    await connection.declareQueue({ name: 'q', exclusive: true })
    await connection.deleteQueue('q')
    const other = await open('after')
    await other.declareQueue({ name: 'q' })
    await other.publish([publication('q', 'a')])
    await connection.close()
    expect(await raw.send('LLEN', 'q')).toBe(1)
  })

  test('that goes away without use stays while somebody waits at it, and no longer', async () => {
    const connection = await open('waiting')
    await connection.declareExchange({ name: 'x', type: 'direct' })
    await connection.declareQueue({ name: 'replies', expiresMs: 400 })
    await connection.bindQueue({ exchange: 'x', queue: 'replies', routingKey: 'key' })
    const controller = new AbortController()
    const waiting = connection.fetch(['replies'], { max: 1, signal: controller.signal }).catch(() => 'ended')
    const until = async (): Promise<number> => Number(await raw.send('ZSCORE', '_celery.used', 'replies'))
    const first = await until()
    const other = await open('other')
    // Used for several times as long as it may be without use.
    while ((await until()) < first + 1_000) {
      await other.declareQueue({ name: 'q' })
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(await raw.send('EXISTS', '_kombu.binding.x')).toBe(1)
    }
    controller.abort()
    expect(await waiting).toBe('ended')
    await connection.close()
    await raw.send('ZADD', '_celery.used', 'XX', 1, 'replies')
    await other.declareQueue({ name: 'q' })
    expect(await raw.send('EXISTS', '_kombu.binding.x', '_celery.queues', '_celery.used')).toBe(0)
  })

  test('that goes away without use stays while its consumer is busy, for as long again after it, and no longer', async () => {
    const [busy, other] = [await open('busy'), await open('other')]
    await busy.declareQueue({ name: 'replies', expiresMs: 60_000 })
    await other.publish(['a', 'b', 'c'].map((body) => publication('replies', body)))
    const [held, parked] = await busy.fetch(['replies'], { max: 2, signal: AbortSignal.timeout(5_000) })
    await busy.settle([{ delivery: parked as Delivery, action: { type: 'park', untilMs: Date.now() + 60_000 } }])
    await unused('replies')
    await other.declareQueue({ name: 'q' })
    expect(await other.declareQueue({ name: 'replies' })).toMatchObject({ ready: 1, delayed: 1, held: 1 })
    // Looked at again when its lease would be over, and not each time.
    const left = Number(await raw.send('ZSCORE', '_celery.used', 'replies')) - Date.now()
    expect(left).toBeGreaterThan(60_000)
    await unused('replies')
    expect(await busy.settle([{ delivery: held as Delivery, action: { type: 'ack' } }])).toEqual(['done'])
    await busy.close()
    await other.declareQueue({ name: 'q' })
    expect(await raw.send('LLEN', 'replies')).toBe(1)
    await unused('replies')
    await other.declareQueue({ name: 'q' })
    expect(await raw.send('EXISTS', 'replies', 'unacked', '_celery.queues', '_celery.used')).toBe(0)
  })

  test('that goes away without use does not before the time after its consumer crashed is over', async () => {
    const [busy, other] = [await open('busy'), await open('other')]
    await busy.declareQueue({ name: 'replies', expiresMs: 60_000 })
    await other.publish([publication('replies', 'a'), publication('replies', 'b')])
    await busy.fetch(['replies'], { max: 1, signal: AbortSignal.timeout(5_000) })
    await unused('replies')
    await crash('busy', busy)
    await other.declareQueue({ name: 'q' })
    expect(await raw.send('LLEN', 'replies')).toBe(2)
    await unused('replies')
    await other.declareQueue({ name: 'q' })
    expect(await raw.send('EXISTS', 'replies', '_celery.consumers.replies')).toBe(0)
  })

  test.each(['close', 'crash'])(
    'that a restarted program has declared anew stays: %s of the earlier one',
    async (end) => {
      const [before, after] = [await open('before'), await open('after')]
      await before.declareQueue({ name: 'replies', exclusive: true })
      await after.declareQueue({ name: 'replies', exclusive: true })
      // As its consumer does every now and then.
      await before.declareQueue({ name: 'replies', exclusive: true })
      await after.publish([publication('replies', 'a')])
      if (end === 'close') await before.close()
      else await crash('before', before)
      await (await open('other')).declareQueue({ name: 'q' })
      expect(await raw.send('LLEN', 'replies')).toBe(1)
      await after.close()
      expect(await raw.send('EXISTS', 'replies', '_celery.queues', '_celery.exclusive.after')).toBe(0)
    },
  )

  test('that another session has deleted and declared anew, exclusively too, goes with that one alone', async () => {
    const [before, after] = [await open('before'), await open('after')]
    await before.declareQueue({ name: 'replies', exclusive: true })
    await after.deleteQueue('replies')
    await after.declareQueue({ name: 'replies', exclusive: true })
    await after.publish([publication('replies', 'a')])
    await after.close()
    expect(await raw.send('EXISTS', 'replies', '_celery.queues')).toBe(0)
  })

  /** The time that it may be without use is over. */
  async function unused(queue: string): Promise<void> {
    await raw.send('ZADD', '_celery.used', 'XX', 1, queue)
  }

  /** What there is, apart from whose it is. */
  async function keys(): Promise<readonly string[]> {
    const all = (await raw.send('KEYS', '*')) as string[]
    return [...new Set(all.map((key) => key.replace(/^(_celery\.put)\..*$/, '$1')))].sort()
  }
})
