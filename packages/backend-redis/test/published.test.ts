import { randomUUID } from 'node:crypto'
import type { ResultBackend, StoredRecord } from '@celery/backend'
import { deferred } from '@celery/promises'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'
import { connectTo } from './open-redis-store.ts'

const success = (taskId: string): string => JSON.stringify({ status: 'SUCCESS', result: 1, task_id: taskId })
const keyOf = (taskId: string): string => `celery-task-meta-${taskId}`

/** What is read at once of a task when there is news of it, and what is read later. */
async function readOnNews(server: RedisServer, taskId: string, publish: () => Promise<unknown>) {
  await using backend = await redis.open(server.url)
  const news = deferred<ReadonlyMap<string, StoredRecord>>()
  await using _watch = await backend.watch([taskId], () => news.resolve(backend.fetch([taskId])))
  await publish()
  const atOnce = await news.promise
  return { atOnce: stateIn(atOnce, taskId), later: await laterState(backend, taskId) }
}

async function laterState(backend: ResultBackend, taskId: string): Promise<string | undefined> {
  await new Promise((resolve) => setImmediate(resolve))
  return stateIn(await backend.fetch([taskId]), taskId)
}

function stateIn(records: ReadonlyMap<string, StoredRecord>, taskId: string): string | undefined {
  return records.get(taskId)?.state
}

describe.skipIf(isMissing('redis'))('what is published', { timeout: 60_000 }, () => {
  test('of a task with an id of its own is read without asking the server, and only at once', async () => {
    await using server = await startRedis()
    await using client = await connectTo(server.url)
    const id = randomUUID()
    const read = await readOnNews(server, id, () => client.send('PUBLISH', keyOf(id), success(id)))
    expect(read).toEqual({ atOnce: 'SUCCESS', later: undefined })
  })

  test('in another database under a name that somebody has thought of is none of ours', async () => {
    await using server = await startRedis()
    await using other = await redis.open(server.url.replace(/\/0$/, '/1'))
    const write = { taskId: 'nightly', state: 'SUCCESS', record: success('nightly') }
    const read = await readOnNews(server, 'nightly', () => other.store([write]))
    expect(read).toEqual({ atOnce: undefined, later: undefined })
  })

  test('of a task that goes on, or is no record, is looked for in the store', async () => {
    await using server = await startRedis()
    await using client = await connectTo(server.url)
    const id = randomUUID()
    for (const text of ['{"status": "STARTED"}', 'hello', '']) {
      await client.send('SET', keyOf(id), success(id))
      const { atOnce } = await readOnNews(server, id, () => client.send('PUBLISH', keyOf(id), text))
      expect(atOnce).toBe('SUCCESS')
    }
  })

  test('before the one who watches has deleted it is not there any more', async () => {
    await using server = await startRedis()
    await using client = await connectTo(server.url)
    await using backend = await redis.open(server.url)
    const id = randomUUID()
    const news = deferred<ReadonlyMap<string, StoredRecord>>()
    await using _watch = await backend.watch([id], () => {
      const forgetting = backend.forget([id])
      news.resolve(backend.fetch([id]))
      void forgetting
    })
    await client.send('SET', keyOf(id), success(id))
    await client.send('PUBLISH', keyOf(id), success(id))
    expect((await news.promise).size).toBe(0)
  })
})

describe.skipIf(isMissing('redis'))('a channel', { timeout: 60_000 }, () => {
  test('is left some time after the last watch, and heard again by the next one', async () => {
    await using server = await startRedis()
    await using client = await connectTo(server.url)
    await using backend = await redis.open(server.url)
    const ids = Array.from({ length: 600 }, () => randomUUID())
    const watched = async (): Promise<unknown> => {
      const [, count] = (await client.send('PUBSUB', 'NUMSUB', keyOf(ids[0] ?? ''))) as [string, number]
      return count
    }
    const first = await backend.watch(ids, () => {})
    expect(await watched()).toBe(1)
    await first[Symbol.asyncDispose]()
    const heard = deferred<string>()
    await using _again = await backend.watch(ids.slice(0, 1), heard.resolve)
    await client.send('PUBLISH', keyOf(ids[0] ?? ''), success(ids[0] ?? ''))
    expect(await heard.promise).toBe(ids[0])
    await _again[Symbol.asyncDispose]()
    await expect.poll(watched, { timeout: 30_000 }).toBe(0)
  })
})
