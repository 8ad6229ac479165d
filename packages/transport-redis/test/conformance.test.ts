import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { describeTransport } from '@celery/transport/testkit'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { redisUnderTest } from './redis-under-test.ts'

describe.skipIf(isMissing('redis'))('on a private Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.close())
  let open: ReturnType<typeof redisUnderTest> | undefined
  describeTransport(
    'redis',
    () => {
      open ??= redisUnderTest(server)
      return open()
    },
    { describe, test },
  )
})
