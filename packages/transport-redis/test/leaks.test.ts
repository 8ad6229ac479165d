/** What is left of connections that could not be opened, have failed, or are closed amid something. */
import { openRedis, type RedisClient } from '@celery/redis'
import { type FaultProxy, isMissing, type RedisServer, startFaultProxy, startRedis } from '@celery/test-servers'
import { type BrokerConnection, parseBrokerUrl } from '@celery/transport'
import { publication } from '@celery/transport/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { redis } from '../src/index.ts'

describe.skipIf(isMissing('redis'))('nothing is left', () => {
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

  async function open(name: string, url = server.url): Promise<BrokerConnection> {
    return await redis.open(parseBrokerUrl(url), { transportOptions: { client_name: name } })
  }

  async function isConnected(name: string): Promise<boolean> {
    return String(await raw.send('CLIENT', 'LIST')).includes(` name=${name} `)
  }

  test('of a connection that could not be opened', async () => {
    const timers = watchTimers()
    await raw.send('SET', 'unacked', 'a string')
    await expect(open('refused')).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED' })
    expect(timers.size).toBe(0)
    expect(await isConnected('refused')).toBe(false)
  })

  test('of a declaration that was under way when its connection was closed', async () => {
    const timers = watchTimers()
    const connection = await open('declares', proxy.url(server.url))
    proxy.latency(50)
    const declaring = connection.declareQueue({ name: 'q' }).catch(() => {})
    await connection.close()
    await declaring
    await proxy.restore()
    expect(timers.size).toBe(0)
  })

  // Before it asks for messages, and that takes some turns, it asks what its queues are.
  test.each([0, 1, 5, 20])('of a fetch given up %i turns after it began', async (turns) => {
    await using connection = await open('gives up')
    await connection.publish([publication('q', 'a')])
    const controller = new AbortController()
    const fetching = connection.fetch(['q'], { max: 1, signal: controller.signal })
    for (let turn = 0; turn < turns; turn++) await undefined
    controller.abort(new Error('given up'))
    await expect(fetching).rejects.toThrow('given up')
    expect(await raw.send('EXISTS', 'unacked')).toBe(0)
    expect(await raw.send('LLEN', 'q')).toBe(1)
  })

  test('of one whose place another connection has taken', async () => {
    const connection = await open('replaced')
    await connection.publish([publication('q', 'a')])
    await connection.fetch(['q'], { max: 1, signal: AbortSignal.timeout(8_000) })
    await connection.publish([publication('q', 'b')])
    const [put = ''] = (await raw.send('KEYS', '_celery.put.*')) as string[]
    await raw.send('HSET', put.replace('.put.', '.settled.'), 'closed', 1)
    const fetching = connection.fetch(['q'], { max: 1, signal: AbortSignal.timeout(8_000) })
    await expect(fetching).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    await connection.close()
    await vi.waitFor(async () => expect(await isConnected('replaced')).toBe(false))
  })
})

/** The intervals that are set from now on and run. */
function watchTimers(): ReadonlySet<unknown> {
  const timers = new Set<unknown>()
  const [set, clear] = [globalThis.setInterval, globalThis.clearInterval]
  vi.spyOn(globalThis, 'setInterval').mockImplementation(((run: () => void, ms?: number) => {
    const timer = set(run, ms)
    timers.add(timer)
    return timer
  }) as typeof setInterval)
  vi.spyOn(globalThis, 'clearInterval').mockImplementation((timer) => {
    timers.delete(timer)
    clear(timer)
  })
  onTestFinished(() => {
    vi.restoreAllMocks()
  })
  return timers
}
