/** The wire breaks between a command and its answer. */
import { openRedis, type RedisClient, RedisWrite } from '@celery/redis'
import { type FaultProxy, isMissing, type RedisServer, startFaultProxy, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, type Publication, parseBrokerUrl } from '@celery/transport'
import { publication, readBody } from '@celery/transport/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'
import { startLateRelay } from './late-relay.ts'
import { until } from './redis-under-test.ts'

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
    await proxy.restore()
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

  async function lengths(...lists: readonly string[]): Promise<unknown[]> {
    return await Promise.all(lists.map((list) => raw.send('LLEN', list)))
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

  test('one that the server had not got is put, and comes to nothing when it gets there late', async () => {
    await using relay = await startLateRelay(server)
    const broken = await open(relay.url)
    const lost = publication('q', 'held-back', { tag: 'held-back' })
    relay.hold()
    const publishing = expect(broken.publish([lost])).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    await until(async () => relay.held.includes('held-back'))
    relay.cut()
    await publishing
    const next = await open()
    await next.publish([lost])
    expect(await raw.send('LLEN', 'q')).toBe(1)
    expect(await relay.release()).toContain('closed')
    expect(await raw.send('LLEN', 'q')).toBe(1)
  })

  test('one whose sender gave up waiting is known again on the same connection', async () => {
    const connection = await open()
    const slow = publication('q', 'slow', { tag: 'slow' })
    proxy.latency(50)
    const controller = new AbortController()
    const publishing = connection.publish([slow], { signal: controller.signal })
    await until(async () => (await raw.send('LLEN', 'q')) === 1)
    controller.abort(new Error('took too long'))
    await expect(publishing).rejects.toThrow('took too long')
    await connection.publish([slow])
    expect((await take(connection, 1)).map(readBody)).toEqual(['slow'])
    expect(await raw.send('LLEN', 'q')).toBe(0)
  })

  test('a publication beside one that was refused is there once when each is repeated', async () => {
    const connection = await open()
    await raw.send('SET', 'wrong', 'a string')
    const publications = ['q', 'q', 'wrong'].map((queue, at) => publication(queue, `${at}`, { tag: `beside-${at}` }))
    await expect(connection.publish(publications)).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED' })
    await raw.send('DEL', 'wrong')
    for (const each of publications) await connection.publish([each])
    expect((await take(connection, 2)).map(readBody)).toEqual(['0', '1'])
    expect(await lengths('q', 'wrong')).toEqual([0, 1])
  })

  test('one of another caller in the same call is taken, and only what was refused is refused', async () => {
    const connection = await open()
    await raw.send('SET', 'wrong', 'a string')
    const first = connection.publish([publication('q', 'first')])
    const right = connection.publish([publication('q', 'a'), publication('q2', 'b')])
    const wrong = connection.publish([publication('q2', 'c'), publication('wrong', 'd')])
    await expect(wrong).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED', reason: 'wrong-type' })
    await Promise.all([first, right])
    expect(await lengths('q', 'q2')).toEqual([2, 2])
  })

  test('more publications than one call takes are there once when the answer to a later one was lost', async () => {
    const publications = Array.from({ length: 2_500 }, (_, at) =>
      publication('q', `body-${at}.`, { tag: `many-${at}` }),
    )
    const broken = await open()
    await cutting('body-1999.', () => broken.publish(publications))
    const next = await open()
    await next.publish(publications)
    expect((await take(next, 2_500)).map(readBody)).toEqual(publications.map((_, at) => `body-${at}.`))
    expect(await raw.send('LLEN', 'q')).toBe(0)
  })

  test('a publication beside one to a fanout exchange is there once when the answer to either was lost', async () => {
    const live = { ...publication('', 'shouted', { tag: 'live' }), exchange: 'fan' }
    const stored = publication('q', 'stored-beside', { tag: 'stored' })
    for (const [name, pattern] of Object.entries({ live: 'shouted', stored: 'stored-beside' })) {
      const batch = [stored, live].map((each) => ({ ...each, tag: `${each.tag} ${name}` }))
      const broken = await open()
      await broken.declareExchange({ name: 'fan', type: 'fanout' })
      await cutting(pattern, () => broken.publish(batch))
      await (await open()).publish(batch)
    }
    expect(await raw.send('LLEN', 'q')).toBe(2)
  })

  test('what was found to be there is known again when what it was repeated with failed', async () => {
    const known = publication('q', 'unanswered-known', { tag: 'known' })
    const broken = await open()
    await cutting('unanswered-known', () => broken.publish([known]))
    await raw.send('SET', 'wrong', 'a string')
    const next = await open()
    await expect(next.publish([known, publication('wrong', 'refused')])).rejects.toMatchObject({
      code: 'ERR_CELERY_REDIS_REFUSED',
    })
    await next.publish([known])
    expect(await raw.send('LLEN', 'q')).toBe(1)
  })

  test.each([
    ['alone', ['wrong']],
    ['beside others', ['q', 'wrong', 'q', 'q2']],
  ])('a refusal whose answer was lost is no success: %s', async (name, queues) => {
    await raw.send('SET', 'wrong', 'a string')
    const publications = queues.map((queue, at) => publication(queue, `${at}`, { tag: `${name}-${at}` }))
    const broken = await open()
    const cut = proxy.cutOnReply('WRONGTYPE')
    await expect(broken.publish(publications)).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    await cut
    await raw.send('DEL', 'wrong')
    const next = await open()
    await next.publish(publications)
    for (const queue of new Set(queues)) {
      expect(await raw.send('LLEN', queue)).toBe(queues.filter((each) => each === queue).length)
    }
  })

  test('nor is one whose answer nobody waited for', async () => {
    await raw.send('SET', 'wrong', 'a string')
    const publications = ['q', 'wrong'].map((queue) => publication(queue, queue, { tag: `given-up-${queue}` }))
    const connection = await open()
    proxy.latency(50)
    const controller = new AbortController()
    const publishing = connection.publish(publications, { signal: controller.signal })
    await until(async () => (await raw.send('LLEN', 'q')) === 1)
    controller.abort(new Error('took too long'))
    await expect(publishing).rejects.toThrow('took too long')
    await raw.send('DEL', 'wrong')
    await connection.publish(publications)
    expect(await lengths('q', 'wrong')).toEqual([1, 1])
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

  test('also when what it was repeated with failed', async () => {
    const first = await open()
    await first.publish(['a', 'b'].map((body) => publication('q', body)))
    const [a, b] = (await take(first, 2)) as [Delivery, Delivery]
    const settlement = { delivery: a, publish: [publication('next', 'known-follow-up')] }
    await cutting('known-follow-up', () => first.settle([settlement]))
    await raw.send('SET', 'wrong', 'a string')
    const next = await open()
    const refused = { delivery: b, publish: [publication('wrong', 'refused')] }
    await expect(next.settle([settlement, refused])).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED' })
    expect(await next.settle([settlement, { delivery: b }])).toEqual(['done', 'done'])
    expect(await raw.send('LLEN', 'next')).toBe(1)
  })

  test('what was settled last stays known for an hour, however seldom that is', async () => {
    const connection = await open(server.url)
    await connection.publish(['a', 'b', 'c'].map((body) => publication('q', body)))
    const [a, b, c] = (await take(connection, 3)) as [Delivery, Delivery, Delivery]
    await connection.settle([{ delivery: a }])
    const [known = ''] = (await raw.send('KEYS', '_celery.settled.*')) as string[]
    for (const settlement of [{ delivery: b }, { delivery: c, publish: [publication('next', 'follow-up')] }]) {
      await raw.send('PEXPIRE', known, 60_000)
      await connection.settle([settlement])
      expect(Number(await raw.send('PTTL', known))).toBeGreaterThan(60_000)
    }
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
