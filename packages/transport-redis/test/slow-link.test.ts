/** What is large for the link takes its time, and keeps nothing else from going on. */
import { openRedis, type RedisClient } from '@celery/redis'
import { type FaultProxy, isMissing, type RedisServer, startFaultProxy, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication, readBody } from '@celery/transport/testkit'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'
import { kill } from './redis-under-test.ts'

const kilo = 1024
const mega = 1024 * kilo

describe.skipIf(isMissing('redis'))('over a slow link', () => {
  let server: RedisServer
  let proxy: FaultProxy
  let raw: RedisClient

  beforeAll(async () => {
    server = await startRedis()
    proxy = await startFaultProxy(server)
    raw = await openRedis(parseBrokerUrl(server.url))
  })
  beforeEach(() => raw.send('FLUSHALL'))
  afterEach(() => proxy.restore())
  afterAll(async () => {
    await raw.close()
    await proxy.close()
    await server.close()
  })

  interface Options {
    readonly session?: string
    readonly name?: string
    readonly url?: string
  }

  async function open({ session, name = '', url = proxy.url(server.url) }: Options = {}): Promise<BrokerConnection> {
    const connection = await redis.open(parseBrokerUrl(url), {
      ...(session === undefined ? {} : { session }),
      transportOptions: { socket_timeout: 1, takeover_grace: 0, client_name: name },
    })
    onTestFinished(() => connection.close())
    return connection
  }

  test('messages that could each pass alone also pass together', async () => {
    const connection = await open()
    await connection.publish([publication('q', 'so that the script is known')])
    proxy.bandwidth(2 * mega)
    await Promise.all(Array.from({ length: 24 }, () => connection.publish([large('q')])))
    expect(await raw.send('LLEN', 'q')).toBe(25)
    await connection.publish(Array.from({ length: 24 }, () => large('q')))
    expect(await raw.send('LLEN', 'q')).toBe(49)
  })

  test('what is fetched together may take longer than the server may be silent', async () => {
    const direct = await open({ url: server.url })
    for (let index = 0; index < 12; index++) await direct.publish([large('q')])
    const connection = await open()
    proxy.bandwidth(2 * mega)
    expect((await take(connection, 'q', 12)).length).toBe(12)
  })

  test('P-3: what a lost owner held is taken over bit by bit, so that a link that breaks loses no more than a bit', async () => {
    await holdAndDie(8)
    const cut = proxy.resetAfter('toClient', 1.5 * mega)
    const broken = await open({ session: 'heir' })
    await expect(take(broken, 'large', 8)).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    await cut
    expect(await raw.send('LLEN', 'large')).toBe(3)
    const connection = await open({ session: 'heir' })
    const deliveries: Delivery[] = []
    while (deliveries.length < 8) deliveries.push(...(await take(connection, 'large', 8)))
    expect(deliveries.map(({ redeliveries }) => redeliveries)).toEqual(Array(8).fill(1))
  })

  test('P-3: a takeover that fails keeps nobody from other messages', async () => {
    await holdAndDie(1)
    const direct = await open({ url: server.url, session: 'direct' })
    await direct.publish([publication('small', 'hello')])
    for (let attempt = 0; attempt < 2; attempt++) {
      const cut = proxy.cutOnReply('xxxxxxxx')
      const connection = await open({ session: 'heir' })
      const taking = take(connection, 'small', 1)
      if (attempt === 0) {
        await expect(taking).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
        await cut
      } else {
        expect((await taking).map(readBody)).toEqual(['hello'])
      }
    }
    expect(await raw.send('ZSCORE', '_celery.owners', 'dying')).not.toBeNull()
    // Nor does it keep itself from what was lost, once that passes.
    await proxy.restore()
    const connection = await open({ session: 'heir' })
    expect((await take(connection, 'large', 1)).map(({ redeliveries }) => redeliveries)).toEqual([1])
  })

  /** Somebody takes large messages, is killed, and lets the lease end. */
  async function holdAndDie(count: number): Promise<void> {
    const dying = await open({ url: server.url, session: 'dying', name: 'dying' })
    for (let index = 0; index < count; index++) await dying.publish([large('large')])
    expect((await take(dying, 'large', count)).length).toBe(count)
    await kill(raw, 'dying')
    await dying.closed.catch(() => {})
    await raw.send('ZADD', '_celery.owners', 1, 'dying')
  }
})

function large(queue: string): ReturnType<typeof publication> {
  return publication(queue, 'x'.repeat(256 * kilo))
}

function take(connection: BrokerConnection, queue: string, max: number): Promise<readonly Delivery[]> {
  return connection.fetch([queue], { max, signal: AbortSignal.timeout(30_000) })
}
