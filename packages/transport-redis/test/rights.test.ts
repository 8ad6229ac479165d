/** All that a broker and its lease keeper do, as a user who has the rights of the README and no others. */
import { readFileSync } from 'node:fs'
import { openRedis } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { parseBrokerUrl } from '@celery/transport'
import { describeTransport, publication, readBody } from '@celery/transport/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'
import { keepLeases } from '../src/lease-keeper.ts'
import { redisUnderTest } from './redis-under-test.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const rule = /^ACL SETUSER (worker [^`]+)```/m.exec(readme)?.[1]?.trim().replace(/\s+/g, ' ') ?? ''

describe.skipIf(isMissing('redis'))('with the rights of the README', () => {
  let server: RedisServer
  let url: string
  beforeAll(async () => {
    server = await startRedis({ acl: [rule] })
    url = server.url.replace('redis://', 'redis://worker:secret@')
  })
  afterAll(() => server.close())
  let open: ReturnType<typeof redisUnderTest> | undefined
  describeTransport(
    'redis',
    () => {
      open ??= redisUnderTest(server, { url, prefix: 'shop:' })
      return open()
    },
    { describe, test },
  )

  test('a lease keeper takes over, and puts back what Python has lost', async () => {
    await using raw = await openRedis(parseBrokerUrl(server.url))
    const transportOptions = { global_keyprefix: 'shop:', takeover_grace: 0, visibility_timeout: 10 }
    await using connection = await redis.open(parseBrokerUrl(url), { leaseMs: 1_000, transportOptions })
    await connection.publish([publication('q', 'from Python'), publication('q', 'from us')])
    const signal = AbortSignal.timeout(30_000)
    const [ofPython, ofUs] = await connection.fetch(['q'], { max: 2, signal })
    const value = String(await raw.send('HGET', 'shop:unacked', ofPython?.tag ?? ''))
    await raw.send('HDEL', 'shop:unacked', ofPython?.tag ?? '')
    await raw.send('HSET', 'shop:unacked', 'a-tag-of-python', value)
    await raw.send('ZADD', 'shop:unacked_index', 1, 'a-tag-of-python')
    const tag = ofUs?.tag ?? ''
    const lost = tag.replace(/^[^.]*/, 'lost')
    await raw.send('HSET', 'shop:unacked', lost, String(await raw.send('HGET', 'shop:unacked', tag)))
    await raw.send('HDEL', 'shop:unacked', tag)
    await raw.send('SADD', 'shop:_celery.held.lost', lost)
    await raw.send('ZADD', 'shop:_celery.owners', 1, 'lost')
    const stop = new AbortController()
    const reports: unknown[] = []
    const keeping = keepLeases(connection.leaseKeeper?.data, {
      signal: stop.signal,
      ready: () => {},
      report: (error) => reports.push(error),
      onAbandon: () => {},
      onHold: () => {},
      onRelease: () => {},
    })
    const bodies: string[] = []
    while (bodies.length < 2) bodies.push(...(await connection.fetch(['q'], { max: 2, signal })).map(readBody))
    expect(bodies.sort()).toEqual(['from Python', 'from us'])
    stop.abort()
    await keeping
    expect(reports).toEqual([])
  })

  test('keys of others are out of reach', async () => {
    await expect(redis.open(parseBrokerUrl(url))).rejects.toMatchObject({
      code: 'ERR_CELERY_REDIS_REFUSED',
      reason: 'permission',
    })
  })
})
