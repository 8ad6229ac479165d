import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRedis, type RedisAddress, type RedisClient, redisScript } from '../src/index.ts'

describe.skipIf(isMissing('redis'))('a connection to Redis', () => {
  let server: RedisServer

  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.close())

  function address(transport: Partial<RedisAddress> = {}): RedisAddress {
    return {
      scheme: 'redis',
      host: server.host,
      port: server.port,
      username: undefined,
      password: undefined,
      path: '0',
      query: {},
      alternates: [],
      toString: () => `redis://${server.host}:${server.port}/0`,
      ...transport,
    }
  }

  function open(transportOptions: Readonly<Record<string, unknown>> = {}): Promise<RedisClient> {
    return openRedis(address(), { transportOptions })
  }

  test('sends text and bytes, and answers with either', async () => {
    await using client = await open()
    await client.send('SET', 'bytes', new Uint8Array([255, 0, 10]))
    await client.send('HSET', 'hash', 'a', 1, 'b', 'é')
    expect(await client.sendBuffer('GET', 'bytes')).toEqual(Buffer.from([255, 0, 10]))
    expect(await client.send('HMGET', 'hash', 'a', 'b', 'c')).toEqual(['1', 'é', null])
  })

  test('a pipeline keeps the order, and an error in it its place', async () => {
    await using client = await open()
    const [, wrong, length] = await client.pipeline([
      ['RPUSH', 'list', 'a', 'b'],
      ['GET', 'list'],
      ['LLEN', 'list'],
    ])
    expect(wrong).toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED', reason: 'wrong-type' })
    expect(length).toBe(2)
  })

  test('a script runs on a server that has never seen it, or has forgotten it', async () => {
    await using client = await open()
    const join = redisScript(`return KEYS[1] .. ARGV[1] -- ${Math.random()}`)
    expect(await client.script(join, ['a'], ['b'])).toBe('ab')
    await client.send('SCRIPT', 'FLUSH')
    expect(await client.scriptBuffer(join, ['a'], ['c'])).toEqual(Buffer.from('ac'))
  })

  test('tells of keys that were read under tracking and changed', async () => {
    await using client = await open()
    await using other = await client.duplicate()
    await client.send('CLIENT', 'TRACKING', 'ON')
    await client.send('LLEN', 'tracked')
    const told = new Promise<void>((resolve) => client.onInvalidation(resolve))
    await other.send('LPUSH', 'tracked', 'x')
    await told
  })

  test('receives what is published', async () => {
    await using client = await open()
    await using subscriber = await client.subscriber()
    const got: unknown[] = []
    const both = new Promise<void>((resolve) => {
      subscriber.onMessage((message) => {
        if (got.push(message) === 2) resolve()
      })
    })
    await subscriber.subscribe('news')
    await subscriber.psubscribe('n*')
    expect(await client.send('PUBLISH', 'news', Buffer.from([1, 255]))).toBe(2)
    await both
    expect(got).toEqual([
      { channel: 'news', payload: Buffer.from([1, 255]) },
      { channel: 'news', pattern: 'n*', payload: Buffer.from([1, 255]) },
    ])
  })

  test('closing ends what waits, and later commands', async () => {
    const client = await open()
    const waiting = client.send('BLPOP', 'nothing', 0)
    await client.close()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE' })
    await expect(client.send('PING')).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE' })
    await client.closed
    await client.close()
  })

  test('one that is cut by the server fails, and does not come back', async () => {
    await using client = await open()
    await using other = await client.duplicate()
    const id = await client.send('CLIENT', 'ID')
    const waiting = client.send('BLPOP', 'nothing', 0)
    const failures = Promise.all([
      expect(waiting).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE', reason: 'closed' }),
      expect(client.closed).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE' }),
    ])
    await other.send('CLIENT', 'KILL', 'ID', String(id))
    await failures
    await expect(client.send('PING')).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE' })
  })

  test('a server that does not answer any more fails the connection', async () => {
    await using frozen = await startRedis()
    const { host, port } = frozen
    const there = { host, port, toString: () => frozen.url }
    const client = await openRedis(address(there), { transportOptions: { socket_timeout: 0.5 } })
    const subscriber = await client.subscriber()
    frozen.pause()
    const waiting = client.send('GET', 'x')
    const subscribing = subscriber.subscribe('x')
    await Promise.all([
      expect(waiting).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE', reason: 'timeout' }),
      expect(subscribing).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_UNAVAILABLE', reason: 'timeout' }),
      expect(client.closed).rejects.toMatchObject({ reason: 'timeout' }),
    ])
    frozen.resume()
  })

  test('a connection without commands finds out by itself that nobody is there', async () => {
    await using frozen = await startRedis()
    const { host, port } = frozen
    const there = { host, port, toString: () => frozen.url }
    const transportOptions = { socket_timeout: 0.5, health_check_interval: 0.25 }
    const client = await openRedis(address(there), { transportOptions })
    frozen.pause()
    await expect(client.closed).rejects.toMatchObject({ reason: 'timeout' })
    frozen.resume()
  })

  test('a process that stands still does not take the server for silent', async () => {
    await using client = await open({ socket_timeout: 0.1 })
    const answer = client.send('GET', 'nothing')
    // Right after the command was written, and until long after its time.
    process.nextTick(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300))
    expect(await answer).toBeNull()
    expect(await client.send('PING')).toBe('PONG')
  })

  test('a timeout of 0 waits for any answer', async () => {
    await using client = await open({ socket_timeout: 0 })
    await using other = await client.duplicate()
    const answer = client.send('BLPOP', 'late', 0)
    await other.send('BLPOP', 'nothing', 0.1)
    await other.send('LPUSH', 'late', 'x')
    expect(await answer).toEqual(['late', 'x'])
  })

  test('a full server refuses what needs memory, and the connection stays good', async () => {
    await using small = await startRedis({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] })
    const { host, port } = small
    await using client = await openRedis(address({ host, port, toString: () => small.url }))
    await expect(client.send('SET', 'a', 'b')).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_FULL' })
    const set = redisScript("return redis.call('SET', KEYS[1], 'b')")
    await expect(client.script(set, ['a'])).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_FULL' })
    expect(await client.send('PING')).toBe('PONG')
  })
})
