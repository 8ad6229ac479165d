/** A connection lasts as long as something moves on it, however long one answer or one command takes. */
import { type FaultProxy, isMissing, type RedisServer, startFaultProxy, startRedis } from '@celery/test-servers'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openRedis, type RedisClient } from '../src/index.ts'
import { address } from './connect-address.ts'

const mega = 1024 * 1024

describe.skipIf(isMissing('redis'))('over a slow link', () => {
  let server: RedisServer
  let proxy: FaultProxy

  beforeAll(async () => {
    server = await startRedis()
    proxy = await startFaultProxy(server)
  })
  afterEach(() => proxy.restore())
  afterAll(async () => {
    await proxy.close()
    await server.close()
  })

  function open(socketTimeout: number, url = proxy.url(server.url)): Promise<RedisClient> {
    return openRedis(address(url), { transportOptions: { socket_timeout: socketTimeout } })
  }

  test('an answer may take longer than the server may be silent', async () => {
    await using client = await open(0.5)
    await using direct = await open(0, server.url)
    await direct.send('SET', 'long', Buffer.alloc(4 * mega, 'x'))
    proxy.bandwidth(2 * mega)
    expect(String(await client.send('GET', 'long')).length).toBe(4 * mega)
  })

  test('so may a command', async () => {
    await using client = await open(1.5)
    proxy.bandwidth(10 * mega)
    expect(await client.send('SET', 'long', Buffer.alloc(40 * mega, 'x'))).toBe('OK')
  })

  test('a server that takes no more is silent, whatever else is sent to it', async () => {
    await using frozen = await startRedis()
    const client = await open(0.5, frozen.url)
    frozen.pause()
    const sending = client.send('SET', 'long', Buffer.alloc(40 * mega, 'x'))
    const more = setInterval(() => {
      client.send('PING').catch(() => {})
    }, 20)
    await expect(sending).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE', reason: 'timeout' })
    clearInterval(more)
    frozen.resume()
  })
})
