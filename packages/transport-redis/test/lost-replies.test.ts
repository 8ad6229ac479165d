/** The wire breaks between a command and its answer. */
import { openRedis, type RedisClient, RedisWrite } from '@celery/redis'
import { type FaultProxy, isMissing, type RedisServer, startFaultProxy, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, type Publication, parseBrokerUrl } from '@celery/transport'
import { publication, readBody } from '@celery/transport/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'

describe.skipIf(isMissing('redis'))('when an answer is lost', () => {
  let server: RedisServer
  let proxy: FaultProxy
  let raw: RedisClient
  let session: string
  const connections: BrokerConnection[] = []
  let sessions = 0

  beforeAll(async () => {
    server = await startRedis()
    proxy = await startFaultProxy(server)
    raw = await openRedis(parseBrokerUrl(server.url))
    // So that the server knows the scripts, and the first answer that is cut is not that it does not.
    session = 'first'
    const first = await open(server.url)
    await first.publish([publication('q', 'a'), publication('q', 'b')])
    const [a, b] = await take(first, 2)
    await first.settle([{ delivery: a as Delivery }])
    await first.settle([{ delivery: b as Delivery, publish: [publication('q', 'c')] }])
  })
  beforeEach(async () => {
    await raw.send('FLUSHALL')
    session = `session-${++sessions}`
  })
  afterEach(async () => {
    await Promise.all(connections.splice(0).map((connection) => connection.close()))
  })
  afterAll(async () => {
    await raw.close()
    await proxy.close()
    await server.close()
  })

  async function open(url: string = proxy.url(server.url)): Promise<BrokerConnection> {
    const connection = await redis.open(parseBrokerUrl(url), { session })
    connections.push(connection)
    return connection
  }

  /** Asserts that the server carries out what `run` asks for, and that the answer does not come. */
  async function cutting(pattern: string, run: () => Promise<unknown>): Promise<void> {
    const cut = proxy.cutReplyTo(pattern)
    await expect(run()).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    await cut
  }

  test('F-19: a publication that is repeated on the next connection is there once', async () => {
    const first = publication('q', 'unanswered-publication', { tag: 'tag-1' })
    const second = publication('q', 'never sent', { tag: 'tag-2' })
    const broken = await open()
    await cutting('unanswered-publication', () => broken.publish([first]))
    expect(await raw.send('LLEN', 'q')).toBe(1)
    const next = await open()
    await next.publish([first, second])
    expect(await raw.send('LLEN', 'q')).toBe(2)
    expect((await take(next, 2)).map(readBody)).toEqual(['unanswered-publication', 'never sent'])
  })

  test('also on a connection of another session, and when it comes in other company', async () => {
    const publications = ['a', 'b', 'c'].map((body) => publication('q', `unanswered-${body}`, { tag: `other-${body}` }))
    const broken = await open()
    await cutting('unanswered-c', () => broken.publish(publications))
    session = `${session}-other`
    const next = await open()
    const [a, b, c] = publications as [Publication, Publication, Publication]
    await next.publish([publication('q', 'new'), b])
    await next.publish([c, a])
    expect((await take(next, 4)).map(readBody)).toEqual(['unanswered-a', 'unanswered-b', 'unanswered-c', 'new'])
  })

  test('one that the server had not got is put, and cannot come late', async () => {
    const broken = await open()
    proxy.swallow('toServer')
    const lost = publication('q', 'swallowed', { tag: 'swallowed' })
    const publishing = expect(broken.publish([lost])).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    proxy.cut()
    await publishing
    proxy.restore()
    const next = await open()
    await next.publish([lost])
    expect(await raw.send('LLEN', 'q')).toBe(1)
    const [closed] = (await raw.send('KEYS', '_celery.put.*')) as string[]
    expect(closed).toBeDefined()
  })

  test('one whose sender gave up waiting is known again on the same connection', async () => {
    const connection = await open()
    const slow = publication('q', 'slow', { tag: 'slow' })
    proxy.swallow('toClient')
    const controller = new AbortController()
    const publishing = connection.publish([slow], { signal: controller.signal })
    await until(async () => (await raw.send('LLEN', 'q')) === 1)
    controller.abort(new Error('took too long'))
    await expect(publishing).rejects.toThrow('took too long')
    proxy.cut()
    proxy.restore()
    await connection.closed.catch(() => {})
    const next = await open()
    await next.publish([slow])
    expect(await raw.send('LLEN', 'q')).toBe(1)
  })

  test('F-18: messages of a fetch whose answer was cut come back at once, uncounted, in order', async () => {
    const direct = await open(server.url)
    await direct.publish(['fetched-1', 'fetched-2', 'fetched-3'].map((body) => publication('q', body)))
    const broken = await open()
    const cut = proxy.cutOnReply('fetched-2')
    await expect(take(broken, 3)).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    await cut
    expect(await raw.send('HLEN', 'unacked')).toBe(3)
    const next = await open()
    const deliveries = await take(next, 3)
    expect(deliveries.map(readBody)).toEqual(['fetched-1', 'fetched-2', 'fetched-3'])
    expect(deliveries.map(({ redeliveries }) => redeliveries)).toEqual([0, 0, 0])
  })

  test('what is being worked on stays ours over a cut, and is settled on the next connection', async () => {
    const first = await open()
    await first.publish([publication('q', 'a')])
    const [delivery] = await take(first, 1)
    proxy.cut()
    await first.closed.catch(() => {})
    await first.close()
    const next = await open()
    expect(await raw.send('LLEN', 'q')).toBe(0)
    expect(await next.renew([delivery as Delivery])).toEqual(['done'])
    expect(await next.settle([{ delivery: delivery as Delivery }])).toEqual(['done'])
    expect(await raw.send('EXISTS', 'unacked', 'unacked_index', `_celery.held.${session}`)).toBe(0)
  })

  test('a settlement that is repeated says what the first attempt did, and does nothing twice', async () => {
    const first = await open()
    await first.publish(['a', 'b', 'c'].map((body) => publication('q', body)))
    const [a, b, c] = (await take(first, 3)) as [Delivery, Delivery, Delivery]
    expect(await first.settle([{ delivery: b }])).toEqual(['done'])
    const count = new RedisWrite("redis.call('INCR', KEYS[1])", ['counter'], [])
    const batch = [
      { delivery: a, publish: [publication('next', 'settle-follow-up')], writes: [write(first, count)] },
      { delivery: b, writes: [write(first, count)] },
    ]
    await cutting('settle-follow-up', () => first.settle(batch))
    const next = await open()
    expect(await next.settle([...batch, { delivery: c }])).toEqual(['done', 'stale', 'done'])
    expect(await next.settle([{ delivery: a }])).toEqual(['stale'])
    expect(await raw.send('GET', 'counter')).toBe('1')
    expect(await raw.send('LLEN', 'next')).toBe(1)
  })

  test('without a delivery too', async () => {
    const first = await open()
    const settlement = { publish: [publication('next', 'early-follow-up', { tag: 'early' })] }
    await cutting('early-follow-up', () => first.settle([settlement]))
    const next = await open()
    expect(await next.settle([settlement])).toEqual(['done'])
    expect(await raw.send('LLEN', 'next')).toBe(1)
  })
})

function write(connection: BrokerConnection, statement: RedisWrite): { domain: string; statement: RedisWrite } {
  return { domain: connection.domain ?? '', statement }
}

async function take(connection: BrokerConnection, count: number): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  while (deliveries.length < count) {
    const max = count - deliveries.length
    deliveries.push(...(await connection.fetch(['q'], { max, signal: AbortSignal.timeout(30_000) })))
  }
  return deliveries
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
}
