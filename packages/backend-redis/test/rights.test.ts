/** All that a store does, as a user who has the rights of the README and no others. */
import { readFileSync } from 'node:fs'
import { describeBackend } from '@celery/backend/testkit'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'
import { manyDatabases, openRedisStore } from './open-redis-store.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const rule = /^ACL SETUSER (results [^`]+)```/m.exec(readme)?.[1]?.trim().replace(/\s+/g, ' ') ?? ''

describe.skipIf(isMissing('redis'))('with the rights of the README', () => {
  let server: RedisServer
  let database = 0
  beforeAll(async () => {
    server = await startRedis({ acl: [rule], args: manyDatabases })
  })
  afterAll(() => server.close())

  describeBackend(
    'redis',
    () => openRedisStore(server, database++, 'results:secret@'),
    { describe, test },
    { deadlineMs: 30_000 },
  )

  test('keys of others are out of reach', async () => {
    const url = server.url.replace('redis://', 'redis://results:secret@')
    await using backend = await redis.open(url, { transportOptions: { global_keyprefix: 'other' } })
    await expect(backend.fetch(['a'])).rejects.toMatchObject({ code: 'ERR_CELERY_REDIS_REFUSED', reason: 'permission' })
  })
})
