/** Many large records at once: no answer holds more than a few megabytes of them. */
import type { ResultWrite } from '@celery/backend'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { redis } from '../src/index.ts'
import { connectTo } from './open-redis-store.ts'

const mega = 1024 * 1024

let server: RedisServer
beforeAll(async () => {
  if (!isMissing('redis')) server = await startRedis()
})
afterAll(() => server?.close())

test.skipIf(isMissing('redis'))(
  'large records are read in several answers, each once, in spite of other keys',
  async () => {
    await using backend = await redis.open(server.url)
    const writes = Array.from({ length: 40 }, (_, index): ResultWrite => {
      const record = `{"status": "SUCCESS", "result": "${index}${'x'.repeat(index % 3 === 0 ? mega : 10)}"}`
      return { taskId: `task-${index}`, state: 'SUCCESS', record }
    })
    await backend.store(writes)
    await server.send('RPUSH', 'celery-task-meta-list', 'x')
    await using client = await connectTo(server.url)
    await client.send('CONFIG', 'RESETSTAT')
    const ids = writes.flatMap(({ taskId }, index) => (index % 10 === 0 ? [taskId, 'list', 'missing'] : [taskId]))
    const found = await backend.fetch(ids)
    expect(found.size).toBe(40)
    for (const { taskId, record } of writes) {
      expect(String(found.get(taskId)?.record) === record, taskId).toBe(true)
    }
    // 14 MiB in answers of 4 MiB at most.
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(String(await client.send('INFO', 'commandstats')))?.[1]
    expect(Number(calls)).toBeGreaterThanOrEqual(4)
    const gets = /cmdstat_get:calls=(\d+)/.exec(String(await client.send('INFO', 'commandstats')))?.[1]
    expect(Number(gets)).toBeLessThan(60)
  },
)
