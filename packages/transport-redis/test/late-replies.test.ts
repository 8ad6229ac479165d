/** What becomes of a fetch whose answer is under way while its connection is closed, or while it is given up. */
import { openRedis, type RedisClient } from '@celery/redis'
import { type FaultProxy, isMissing, type RedisServer, startFaultProxy, startRedis } from '@celery/test-servers'
import { type BrokerConnection, type Delivery, parseBrokerUrl } from '@celery/transport'
import { publication, readBody } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { redis } from '../src/index.ts'

describe.skipIf(isMissing('redis'))('when an answer is late', () => {
  let server: RedisServer
  let proxy: FaultProxy
  let raw: RedisClient
  beforeAll(async () => {
    server = await startRedis()
    proxy = await startFaultProxy(server)
    raw = await openRedis(parseBrokerUrl(server.url))
  })
  beforeEach(async () => {
    await proxy.restore()
    await raw.send('FLUSHALL')
  })
  afterAll(async () => {
    await raw.close()
    await proxy.close()
    await server.close()
  })

  async function open(session: string, url = server.url): Promise<BrokerConnection> {
    const connection = await redis.open(parseBrokerUrl(url), { session })
    onTestFinished(() => connection.close())
    return connection
  }

  /** A fetch that has taken a message, which is still on its way. */
  async function fetchSlowly(session: string) {
    const connection = await open(session, proxy.url(server.url))
    await connection.publish([publication('q', 'a')])
    // So much that it is under way for longer than this process may stand still.
    proxy.latency(300)
    const fetching = connection.fetch(['q'], { max: 1, signal: AbortSignal.timeout(8_000) })
    const outcome = fetching.then(
      () => 'handed out',
      (error: { code?: string }) => error.code,
    )
    while ((await raw.send('LLEN', 'q')) === 1) await new Promise((resolve) => setTimeout(resolve, 5))
    // What follows it comes right after it.
    proxy.latency(0)
    return { connection, outcome }
  }

  test('P-2: a connection that is closed gives the message back and hands it to nobody', async () => {
    const { connection, outcome } = await fetchSlowly('closes')
    await connection.close()
    expect(await outcome).toBe('ERR_CELERY_CONNECTION_CLOSED')
    const [delivery] = await take(await open('other'))
    expect(delivery).toMatchObject({ redeliveries: 0 })
    expect(readBody(delivery as Delivery)).toBe('a')
  })

  test('P-3: so does one whose session goes on, over the next one', async () => {
    const { connection, outcome } = await fetchSlowly('goes-on')
    await connection.close({ sessionGoesOn: true })
    expect(await outcome).toBe('ERR_CELERY_CONNECTION_CLOSED')
    await open('goes-on')
    expect((await take(await open('other'))).map(readBody)).toEqual(['a'])
  })

  test('P-2: another connection of the session leaves the message to the one that waits for it', async () => {
    const { outcome } = await fetchSlowly('shared')
    await open('shared')
    expect(await raw.send('LLEN', 'q')).toBe(0)
    expect(await outcome).toBe('handed out')
    await open('shared')
    expect(await raw.send('LLEN', 'q')).toBe(0)
  })
})

async function take(connection: BrokerConnection) {
  return await connection.fetch(['q'], { max: 1, signal: AbortSignal.timeout(8_000) })
}
