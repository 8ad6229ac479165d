/** What chords leave in the server. */
import type { ChordPart } from '@celery/backend'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'

describe.skipIf(isMissing('redis'))('the keys of a chord', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  beforeEach(() => server.send('FLUSHALL'))
  afterAll(() => server.close())

  const keys = async (): Promise<string[]> => ((await server.send('KEYS', '*')) as string[]).sort()
  const part = (index: number): ChordPart => {
    return { groupId: 'g', taskId: `a-task-of-the-chord-${index}`, index, state: 'SUCCESS', member: `m${index}` }
  }

  test('expire with the results, also before any part is there', async () => {
    await using backend = await redis.open(server.url)
    await backend.chords?.begin('g', 2, { ttlMs: 60_000 })
    await backend.chords?.extend('g', ['added'], { ttlMs: 60_000 })
    expect(await keys()).toHaveLength(3)
    for (const key of await keys()) expect(Number(await server.send('PTTL', key)), key).toBeGreaterThan(0)
  })

  test('do not come back with a part that is late, once Python has completed the chord', async () => {
    await using backend = await redis.open(server.url)
    await backend.chords?.begin('g', 2)
    await backend.chords?.recordPart(part(0))
    await server.send('DEL', ...['j', 's', 't'].map((end) => `celery-taskset-meta-g.${end}`))
    expect(await backend.chords?.recordPart(part(1))).toBeUndefined()
    expect(await keys()).toEqual(['celery-taskset-meta-g._celery'])
  })

  test('go by themselves where only late parts are ours', async () => {
    await using backend = await redis.open(server.url)
    expect(await backend.chords?.recordPart(part(1))).toBeUndefined()
    expect(await keys()).toHaveLength(2)
    for (const key of await keys()) expect(Number(await server.send('PTTL', key)), key).toBeGreaterThan(0)
  })
})
