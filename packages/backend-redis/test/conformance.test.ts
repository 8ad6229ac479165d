import { describeBackend } from '@celery/backend/testkit'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { manyDatabases, openRedisStore } from './open-redis-store.ts'

describe.skipIf(isMissing('redis'))('a real server', () => {
  let server: RedisServer
  let database = 0
  beforeAll(async () => {
    server = await startRedis({ args: manyDatabases })
  })
  afterAll(() => server.close())

  describeBackend('redis', () => openRedisStore(server, database++), { describe, test }, { deadlineMs: 30_000 })
})
