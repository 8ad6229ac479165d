/** What becomes of leases and declarations where everybody stood still, the clock was moved, or somebody flushed the server. */
import { openRedis, type RedisClient } from '@celery/redis'
import { type FaultProxy, isMissing, type RedisServer, startFaultProxy, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication, readBody, textMessage } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'
import { until } from './redis-under-test.ts'

const leaseMs = 30_000

describe.skipIf(isMissing('redis'))('after an outage', () => {
  let server: RedisServer
  let proxy: FaultProxy
  let raw: RedisClient
  beforeAll(async () => {
    server = await startRedis()
    proxy = await startFaultProxy(server)
    raw = await openRedis(parseBrokerUrl(server.url))
  })
  beforeEach(async () => {
    await raw.send('FLUSHALL')
  })
  afterAll(async () => {
    await raw.close()
    await proxy.close()
    await server.close()
  })

  interface Options {
    readonly session?: string
    readonly graceSeconds?: number
    readonly url?: string
  }

  async function open({ session, graceSeconds = 0, url = server.url }: Options = {}): Promise<BrokerConnection> {
    const connection = await redis.open(parseBrokerUrl(url), {
      leaseMs,
      ...(session === undefined ? {} : { session }),
      transportOptions: { takeover_grace: graceSeconds },
    })
    onTestFinished(() => connection.close())
    return connection
  }

  async function serverMs(): Promise<number> {
    const [seconds] = (await raw.send('TIME')) as [string]
    return Number(seconds) * 1_000
  }

  test('P-2: a connection that stood still for longer than its lease goes on with what it holds', async () => {
    const connection = await open({ session: 'still' })
    await connection.publish([publication('q', 'a'), publication('q', 'b')])
    const [a] = (await take(connection)) as [Delivery]
    await raw.send('ZADD', '_celery.owners', 1, 'still')
    expect((await take(connection)).map(readBody)).toEqual(['b'])
    await raw.send('ZADD', '_celery.owners', 1, 'still')
    await connection.declareQueue({ name: 'q' })
    expect(await connection.settle([{ delivery: a }])).toEqual(['done'])
  })

  test('P-2: everybody gets the grace, however many they are', async () => {
    const members = Array.from({ length: 250 }, (_, index) => [1 + index, `lost-${index}`]).flat()
    await raw.send('ZADD', '_celery.owners', ...members)
    const connection = await open({ graceSeconds: 10 })
    await connection.publish(['a', 'b', 'c'].map((body) => publication('q', body)))
    // Each looks at the owners first: what it takes shows that it has.
    for (const body of ['a', 'b', 'c']) expect((await take(connection)).map(readBody)).toEqual([body])
    expect(await raw.send('ZCOUNT', '_celery.owners', await serverMs(), '+inf')).toBe(251)
  })

  test('P-2: so does an owner whose lease outlasts the outage by little', async () => {
    const now = await serverMs()
    await raw.send('SET', '_celery.renewed', now - 20_000)
    await raw.send('ZADD', '_celery.owners', now + 1_500, 'late')
    const connection = await open({ session: 'early', graceSeconds: 10 })
    await connection.publish([publication('q', 'a')])
    const [delivery] = (await take(connection)) as [Delivery]
    expect(await connection.renew([delivery])).toEqual(['done'])
    expect(Number(await raw.send('ZSCORE', '_celery.owners', 'late'))).toBeGreaterThanOrEqual(now + 10_000)
  })

  test('P-3: leases are no longer than they were where the clock is put back', async () => {
    const now = await serverMs()
    await raw.send('SET', '_celery.renewed', now + 3_600_000)
    await raw.send('ZADD', '_celery.owners', now + 3_600_000 + 20_000, 'dead')
    const connection = await open()
    await connection.publish([publication('q', 'a')])
    const [delivery] = (await take(connection)) as [Delivery]
    await connection.renew([delivery])
    expect(Number(await raw.send('ZSCORE', '_celery.owners', 'dead'))).toBeLessThan(now + 60_000)
  })

  test('P-3: what a fetch took that was given up comes back, also where giving it back failed', async () => {
    const broken = await open({ session: 'blip', url: proxy.url(server.url) })
    await broken.publish([publication('q', 'a')])
    // More than half of what giving up waits for, so that the cut comes between the answer and what is said to it.
    proxy.latency(400)
    const controller = new AbortController()
    const fetching = broken.fetch(['q'], { max: 1, signal: controller.signal })
    const failed = expect(fetching).rejects.toThrow('given up')
    await until(async () => (await raw.send('LLEN', 'q')) === 0)
    controller.abort(new Error('given up'))
    await failed
    proxy.cut()
    await proxy.restore()
    await broken.closed.catch(() => {})
    const next = await open({ session: 'blip' })
    expect((await take(next)).map(readBody)).toEqual(['a'])
  })

  test('a connection that waits is not woken by what others do', async () => {
    const connection = await open({ session: 'idle' })
    const controller = new AbortController()
    const waiting = expect(connection.fetch(['q'], { max: 1, signal: controller.signal })).rejects.toThrow('enough')
    await until(async () => String(await raw.send('CLIENT', 'LIST')).includes('flags=t'))
    const scripts = async (): Promise<number> => {
      const stats = String(await raw.send('INFO', 'commandstats'))
      return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
    }
    const before = await scripts()
    // It looks once more by itself; from then on everything that it reads might be followed.
    await until(async () => (await scripts()) > before)
    for (let write = 0; write < 40; write++) {
      await raw.send('ZADD', '_celery.eta', 9e12 + write, 'far away')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect((await scripts()) - before).toBeLessThan(20)
    controller.abort(new Error('enough'))
    await waiting
  })

  test('F-28: what was declared comes back by itself, but not what was deleted or ends by itself', async () => {
    const connections = [await open(), await open()]
    for (const connection of connections) {
      await connection.declareExchange({ name: 'x', type: 'topic' })
      await connection.declareQueue({ name: 'q', messageTtlMs: 600_000 })
      await connection.bindQueue({ exchange: 'x', queue: 'q', routingKey: 'a.*' })
      await connection.bindQueue({ exchange: 'x', queue: 'q', routingKey: 'b.*' })
    }
    const [first, second] = connections as [BrokerConnection, BrokerConnection]
    for (const connection of connections) await connection.unbindQueue({ exchange: 'x', queue: 'q', routingKey: 'b.*' })
    await second.declareQueue({ name: 'reply', expiresMs: 600_000 })
    await second.bindQueue({ exchange: 'x', queue: 'reply', routingKey: 'c.*' })
    await first.declareExchange({ name: 'mine', type: 'direct' })
    const bindings = await raw.send('SMEMBERS', '_kombu.binding.x')
    expect(bindings).toHaveLength(2)
    const warnings = collectWarnings('CELERY_REDIS_EMPTIED')
    await raw.send('FLUSHALL')
    await until(async () => (await raw.send('HLEN', '_celery.exchanges')) === 2)
    await until(async () => (await raw.send('SCARD', '_kombu.binding.x')) === 1)
    expect(bindings).toEqual(expect.arrayContaining((await raw.send('SMEMBERS', '_kombu.binding.x')) as string[]))
    await first.publish([{ exchange: 'x', routingKey: 'a.b', message: textMessage('after') }])
    expect((await take(second)).map(readBody)).toEqual(['after'])
    expect(await raw.send('HKEYS', '_celery.queues')).toEqual(['q'])
    expect(warnings).toEqual([expect.stringMatching(/are gone: .* messages that were there are lost/)])
  })

  test('F-28: a server that came back without its data is told of', async () => {
    const own = await startRedis()
    onTestFinished(() => own.close())
    const warnings = collectWarnings('CELERY_REDIS_EMPTIED')
    const before = await open({ url: own.url })
    await before.declareQueue({ name: 'q' })
    await until(async () => Number(await own.send('EXISTS', '_celery.mark')) === 1)
    await own.kill()
    await before.closed.catch(() => {})
    await own.restart()
    await (await open({ url: own.url })).declareQueue({ name: 'q' })
    await until(async () => warnings.length > 0)
    expect(warnings).toEqual([expect.stringContaining('came back without its data')])
  })

  test('F-28: a policy of the server that throws messages away is told of, once', async () => {
    const own = await startRedis()
    onTestFinished(() => own.close())
    await own.send('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    const warnings = collectWarnings('CELERY_REDIS_EVICTION')
    for (let connections = 0; connections < 3; connections++)
      await (await open({ url: own.url })).declareQueue({ name: 'q' })
    expect(warnings).toEqual([expect.stringContaining('"allkeys-lru": when it is full it throws messages and results')])
  })
})

/** The texts of the process's warnings with this code, until the test ends. */
function collectWarnings(code: string): readonly string[] {
  const texts: string[] = []
  const note = (warning: Error & { readonly code?: string }): void => {
    if (warning.code === code) texts.push(warning.message)
  }
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  return texts
}

async function take(connection: BrokerConnection): Promise<readonly Delivery[]> {
  return await connection.fetch(['q'], { max: 1, signal: AbortSignal.timeout(30_000) })
}
