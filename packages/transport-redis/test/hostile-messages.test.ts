/** What anybody can put into a list: H rows of the fault list, and messages as kombu writes them. */
import { openRedis, type RedisClient, RedisWrite } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication, readBody, textMessage } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'
import { until } from './redis-under-test.ts'

const hostile: readonly (readonly [name: string, payload: Buffer | string])[] = [
  ['nothing', ''],
  ['text that is no JSON', 'not json'],
  ['bytes that are no UTF-8', Buffer.from([0xff, 0x00, 0xfe, 0x7b, 0x7d])],
  [
    'an envelope with bytes in it that are no UTF-8',
    Buffer.concat([Buffer.from('{"body":"'), Buffer.from([0xff]), Buffer.from('"}')]),
  ],
  ['null', 'null'],
  ['a list', '[1, 2]'],
  ['what looks like an entry of unacked', '[{}, "", "other"]'],
  ['an envelope with the end of an entry in it', '{"body":"\\", \\"\\", \\"q\\"]", "x": ", \\"\\", \\"q\\"]"}'],
  ['deep nesting', `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
  ['a megabyte', `{"body":"${'x'.repeat(2 ** 20)}"}`],
  ['an envelope that says it came ten thousand times', '{"x-redeliveries":9999,"body":1}'],
  ['a count that is none', '{"x-redeliveries":"much","body":1}'],
]

/** Those that are a JSON object which can be read: a count can stand in it. */
const countable = new Set([
  'an envelope with the end of an entry in it',
  'a megabyte',
  'an envelope that says it came ten thousand times',
  'a count that is none',
])

describe.skipIf(isMissing('redis'))('a message of a hostile hand', () => {
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

  async function open(transportOptions: Readonly<Record<string, unknown>> = {}): Promise<BrokerConnection> {
    const connection = await redis.open(parseBrokerUrl(server.url), { transportOptions })
    onTestFinished(() => connection.close())
    return connection
  }

  test.each(hostile)('P-6 %s is delivered as it is, given back as it is, and buried as it is', async (_, payload) => {
    const bytes = Buffer.from(payload)
    await raw.send('LPUSH', 'q', bytes, envelope('good'))
    const connection = await open()
    const [bad, good] = (await take(connection, 'q', 2)) as [Delivery, Delivery]
    expect(bytes.equals(Buffer.from(bad.payload as string | Uint8Array))).toBe(true)
    expect(readBody(good)).toBe('good')
    await connection.settle([{ delivery: bad, action: { type: 'requeue', counted: false } }])
    expect(bytes.equals((await raw.sendBuffer('LINDEX', 'q', -1)) as Buffer)).toBe(true)
    const [again] = (await take(connection, 'q', 1)) as [Delivery]
    await connection.settle([{ delivery: again, action: { type: 'dead', reason: 'not "good"' } }, { delivery: good }])
    const [dead] = (await take(connection, 'q.dead', 1)) as [Delivery]
    expect(bytes.equals(Buffer.from(dead.payload as string | Uint8Array))).toBe(true)
    expect(dead.deadReason).toBe('not "good"')
    await connection.settle([{ delivery: dead, action: { type: 'requeue', counted: true } }])
    expect(await connection.purgeQueue('q.dead')).toBe(1)
    expect(await raw.send('EXISTS', 'q', 'unacked', 'unacked_index')).toBe(0)
  })

  test.each(hostile)('P-6 %s comes back from a counted requeue, counted where it can be', async (name, payload) => {
    await raw.send('LPUSH', 'q', payload)
    const connection = await open()
    const [first] = (await take(connection, 'q', 1)) as [Delivery]
    await connection.settle([{ delivery: first, action: { type: 'requeue', counted: true } }])
    const [second] = (await take(connection, 'q', 1)) as [Delivery]
    expect([name, second.redeliveries]).toEqual([name, first.redeliveries + (countable.has(name) ? 1 : 0)])
    expect(await connection.settle([{ delivery: second }])).toEqual(['done'])
  })

  test('an entry that is no JSON stays out of the index, where Python would stumble over it', async () => {
    await raw.send('LPUSH', 'q', 'not json', envelope('good'))
    const deliveries = await take(await open(), 'q', 2)
    expect(await raw.send('ZRANGE', 'unacked_index', 0, -1)).toEqual([deliveries[1]?.tag])
  })

  test('a key of another type under the name of a queue loses nothing of the others', async () => {
    await raw.send('SET', 'wrong', 'a string')
    const connection = await open()
    const publishing = connection.publish([publication('wrong', 'a'), publication('right', 'b')])
    await expect(publishing).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED' })
    await expect(take(connection, 'wrong', 1)).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED' })
    expect((await take(connection, 'right', 1)).map(readBody)).toEqual(['b'])
  })

  test('garbage in a binding set routes nothing and breaks nothing', async () => {
    const connection = await open()
    await connection.declareExchange({ name: 'x', type: 'topic' })
    await connection.bindQueue({ queue: 'q', exchange: 'x', routingKey: 'a.*' })
    const sep = '\x06\x16'
    await raw.send(
      'SADD',
      '_kombu.binding.x',
      '',
      'a.b',
      sep,
      `${sep}${sep}`,
      Buffer.from([255, 6, 22]),
      `a.b${sep}(${sep}q${sep}`,
    )
    await connection.publish([{ exchange: 'x', routingKey: 'a.b', message: textMessage('once') }])
    expect((await take(connection, 'q', 1)).map(readBody)).toEqual(['once'])
    expect(await raw.send('LLEN', 'q')).toBe(0)
  })

  test('messages in all the buckets of kombu come by priority', async () => {
    const sep = '\x06\x16'
    await raw.send('LPUSH', `q${sep}9`, envelope('nine'))
    await raw.send('LPUSH', `q${sep}3`, envelope('three'))
    await raw.send('LPUSH', 'q', envelope('zero'))
    const connection = await open()
    await connection.publish([
      { exchange: '', routingKey: 'q', message: textMessage('seven', { priority: 7 }) },
      { exchange: '', routingKey: 'q', message: textMessage('two', { priority: 2 }) },
    ])
    expect(await raw.send('LLEN', `q${sep}6`)).toBe(1)
    const deliveries = await take(connection, 'q', 5)
    expect(deliveries.map(readBody)).toEqual(['zero', 'two', 'three', 'seven', 'nine'])
    await connection.settle(deliveries.map((delivery) => ({ delivery, action: { type: 'requeue', counted: true } })))
    expect((await take(connection, 'q', 5)).map(readBody)).toEqual(['zero', 'two', 'three', 'seven', 'nine'])
  })

  test('global_keyprefix stands before every key', async () => {
    const connection = await open({ global_keyprefix: 'pfx:' })
    await connection.declareExchange({ name: 'x', type: 'direct' })
    await connection.declareQueue({
      name: 'q',
      messageTtlMs: 60_000,
      expiresMs: 60_000,
      autoDelete: true,
      exclusive: true,
    })
    await connection.bindQueue({ queue: 'q', exchange: 'x', routingKey: 'key' })
    await connection.publish([
      { exchange: 'x', routingKey: 'key', message: textMessage('a') },
      publication('q', 'b'),
      publication('q', 'c'),
    ])
    const [a, b] = (await take(connection, 'q', 3)) as [Delivery, Delivery]
    await connection.settle([
      { delivery: a, action: { type: 'park', untilMs: Date.now() + 60_000 }, publish: [publication('next', 'd')] },
      { delivery: b, action: { type: 'dead', reason: 'why not' } },
    ])
    const keys = (await raw.send('KEYS', '*')) as string[]
    expect(keys.filter((key) => !key.startsWith('pfx:'))).toEqual([])
    expect(keys.length).toBeGreaterThan(10)
  })

  test('a parked message comes back by the rule of Python where nobody of ours is left', async () => {
    const connection = await open({ visibility_timeout: 100 })
    await connection.publish([publication('q', 'a')])
    const [delivery] = (await take(connection, 'q', 1)) as [Delivery]
    const untilMs = Date.now() + 5_000
    await connection.settle([{ delivery, action: { type: 'park', untilMs } }])
    const [tag, score] = (await raw.send('ZRANGE', 'unacked_index', 0, -1, 'WITHSCORES')) as [string, string]
    // Python puts back what is as old as the visibility timeout.
    expect(Math.abs((Number(score) + 100) * 1_000 - untilMs)).toBeLessThan(60_000)
    expect(JSON.parse(String(await raw.send('HGET', 'unacked', tag)))).toMatchObject([{ body: 'a' }, '', 'q'])
    await connection.close()
    expect(await raw.send('EXISTS', 'unacked', '_celery.eta')).toBe(2)
  })

  test('one that Python has put back before its time comes once', async () => {
    const connection = await open()
    await connection.publish([publication('q', 'a')])
    const [delivery] = (await take(connection, 'q', 1)) as [Delivery]
    await connection.settle([{ delivery, action: { type: 'park', untilMs: Date.now() + 300 } }])
    const [tag] = (await raw.send('ZRANGE', 'unacked_index', 0, -1)) as [string]
    const [payload] = JSON.parse(String(await raw.send('HGET', 'unacked', tag))) as [object]
    await raw.pipeline([
      ['ZREM', 'unacked_index', tag],
      ['HDEL', 'unacked', tag],
      ['RPUSH', 'q', JSON.stringify(payload)],
    ])
    expect((await take(connection, 'q', 1)).map(readBody)).toEqual(['a'])
    await until(async () => {
      const { delayed } = await connection.declareQueue({ name: 'q' })
      return delayed === 0
    })
    expect(await raw.send('LLEN', 'q')).toBe(0)
  })

  test('what Python has put back in our stead makes our settlement stale, with all that belongs to it', async () => {
    const connection = await open()
    await connection.publish([publication('q', 'a')])
    const [delivery] = (await take(connection, 'q', 1)) as [Delivery]
    await raw.pipeline([
      ['ZREM', 'unacked_index', delivery.tag],
      ['HDEL', 'unacked', delivery.tag],
      ['RPUSH', 'q', String(delivery.payload)],
    ])
    expect(await connection.settle([{ delivery, publish: [publication('next', 'b')] }])).toEqual(['stale'])
    expect(await raw.send('LLEN', 'next')).toBe(0)
    expect((await take(connection, 'q', 1)).map(readBody)).toEqual(['a'])
  })

  test('F-27: a full server takes nothing in, and still lets go, give back and renew', async () => {
    const small = await startRedis()
    onTestFinished(() => small.close())
    const connection = await redis.open(parseBrokerUrl(small.url))
    const admin = await openRedis(parseBrokerUrl(small.url))
    onTestFinished(() => connection.close())
    onTestFinished(() => admin.close())
    await connection.publish(['a', 'b', 'c', 'd'].map((body) => publication('q', body)))
    const [a, b, c] = (await take(connection, 'q', 3)) as [Delivery, Delivery, Delivery]
    await admin.send('CONFIG', 'SET', 'maxmemory', '1')
    await expect(connection.publish([publication('q', 'e')])).rejects.toMatchObject({ code: 'ERR_CELERY_BROKER_BUSY' })
    expect(await connection.renew([a])).toEqual(['done'])
    const statement = new RedisWrite("return redis.pcall('SET', KEYS[1], ARGV[1])", ['result'], ['stored'])
    const results = await connection.settle([
      { delivery: a, publish: [publication('next', 'f')], writes: [{ domain: connection.domain ?? '', statement }] },
      { delivery: b, action: { type: 'requeue', counted: true } },
      { delivery: c, action: { type: 'dead', reason: 'why not' } },
    ])
    expect(results).toEqual(['done', 'done', 'done'])
    expect(await admin.send('GET', 'result')).toBe('stored')
    expect(await admin.send('LLEN', 'next')).toBe(1)
    expect((await take(connection, 'q', 2)).map(readBody)).toEqual(['b', 'd'])
    await admin.send('CONFIG', 'SET', 'maxmemory', '0')
    await connection.publish([publication('q', 'e')])
  })

  test('F-27: whoever comes when the server is full can still declare, fetch and make room', async () => {
    const small = await startRedis()
    onTestFinished(() => small.close())
    const [sender, admin] = [await redis.open(parseBrokerUrl(small.url)), await openRedis(parseBrokerUrl(small.url))]
    onTestFinished(() => sender.close())
    onTestFinished(() => admin.close())
    await sender.publish([publication('q', 'a'), publication('q', 'b')])
    await admin.send('CONFIG', 'SET', 'maxmemory', '1')
    const connection = await redis.open(parseBrokerUrl(small.url))
    onTestFinished(() => connection.close())
    await connection.declareExchange({ name: 'news', type: 'topic' })
    await connection.declareQueue({ name: 'q', autoDelete: true })
    await connection.bindQueue({ queue: 'q', exchange: 'news', routingKey: '#' })
    const deliveries = await take(connection, 'q', 2)
    expect(deliveries.map(readBody)).toEqual(['a', 'b'])
    expect(await connection.settle(deliveries.map((delivery) => ({ delivery })))).toEqual(['done', 'done'])
  })

  test('F-27: a settlement that a full server has no room for asks to be tried again, and then is done', async () => {
    const small = await startRedis()
    onTestFinished(() => small.close())
    const [connection, admin] = [
      await redis.open(parseBrokerUrl(small.url)),
      await openRedis(parseBrokerUrl(small.url)),
    ]
    onTestFinished(() => connection.close())
    onTestFinished(() => admin.close())
    await connection.publish([publication('q', 'a')])
    const [delivery] = (await take(connection, 'q', 1)) as [Delivery]
    await admin.send('CONFIG', 'SET', 'maxmemory', '1')
    const busy = { code: 'ERR_CELERY_BROKER_BUSY' }
    const alone = [{ publish: [publication('next', 'b')] }]
    await expect(connection.settle(alone)).rejects.toMatchObject(busy)
    // The end of a delivery lets in what comes after it, and not what came before.
    const mixed = [{ publish: [publication('next', 'c')] }, { delivery, publish: [publication('next', 'd')] }]
    await expect(connection.settle(mixed)).rejects.toMatchObject(busy)
    await admin.send('CONFIG', 'SET', 'maxmemory', '0')
    expect(await connection.settle(alone)).toEqual(['done'])
    expect(await connection.settle(mixed)).toEqual(['done', 'done'])
    expect((await take(connection, 'next', 3)).map(readBody)).toEqual(['d', 'b', 'c'])
    expect(await admin.send('EXISTS', 'q', 'next')).toBe(0)
  })

  test.each([['client|tracking'], ['client|caching'], ['client']])(
    'without the right to %s it looks again by itself',
    async (command) => {
      await raw.send('ACL', 'SETUSER', 'plain', 'reset', 'on', '>pw', '~*', '&*', '+@all', `-${command}`)
      const url = server.url.replace('redis://', 'redis://plain:pw@')
      const connection = await redis.open(parseBrokerUrl(url))
      onTestFinished(() => connection.close())
      await raw.send('ACL', 'LOG', 'RESET')
      const taking = take(connection, 'q', 1)
      // It has found nothing, wanted to be told, and was refused.
      await until(async () => JSON.stringify(await raw.send('ACL', 'LOG')).includes('"client|'))
      await raw.send('LPUSH', 'q', envelope('late'))
      expect((await taking).map(readBody)).toEqual(['late'])
    },
  )
})

function envelope(body: string): string {
  const properties = { delivery_tag: 'tag', delivery_info: { exchange: '', routing_key: 'q' }, priority: 0 }
  return JSON.stringify({ body, 'content-type': 'text/plain', 'content-encoding': 'utf-8', headers: {}, properties })
}

async function take(connection: BrokerConnection, queue: string, count: number): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  while (deliveries.length < count) {
    const max = count - deliveries.length
    deliveries.push(...(await connection.fetch([queue], { max, signal: AbortSignal.timeout(30_000) })))
  }
  return deliveries
}
