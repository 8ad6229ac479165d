import type { ChordPart, ResultWrite } from '@celery/backend'
import type { RedisClient } from '@celery/redis'
import { isMissing, type RedisServer, startRedis } from '@celery/test-servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redis } from '../src/index.ts'
import {
  bytesOf,
  dump,
  type GoldenKeys,
  type GoldenResults,
  load,
  readGoldenChords,
  readGoldenResults,
} from './golden.ts'
import { connectTo } from './open-redis-store.ts'

/** Of the four records of each recording, by the end of the id. */
const states: Readonly<Record<string, string>> = { '01': 'SUCCESS', '02': 'FAILURE', '03': 'PROGRESS', '04': 'SUCCESS' }

describe.skipIf(isMissing('redis'))('what Python leaves in Redis', () => {
  let server: RedisServer
  let client: RedisClient
  beforeAll(async () => {
    server = await startRedis()
    client = await connectTo(server.url)
  })
  afterAll(async () => {
    await client.close()
    await server.close()
  })

  describe.each(readGoldenResults())('$name', (golden) => {
    test('is what we leave, for the same records', async () => {
      await using backend = await redis.open(server.url, optionsOf(golden))
      await client.send('FLUSHDB')
      await backend.store(writesOf(golden.keys))
      expect(await dump(client)).toEqual(onlyRecords(golden.keys))
    })

    test('is what we read, and what is final in it stays', async () => {
      await using backend = await redis.open(server.url, optionsOf(golden))
      await load(client, golden.keys)
      const writes = writesOf(golden.keys)
      await backend.store(writes.map(({ taskId }) => ({ taskId, state: 'STARTED', record: '{"status": "STARTED"}' })))
      await backend.store(
        writes
          .filter(({ state }) => state === 'SUCCESS')
          .map(({ taskId }) => ({ taskId, state: 'FAILURE', record: '{"status": "FAILURE"}' })),
      )
      const found = await backend.fetch(writes.map(({ taskId }) => taskId))
      expect(writes).toHaveLength(4)
      for (const { record, state, taskId } of writes) {
        const stored = found.get(taskId)
        expect([stored?.state, Buffer.from(stored?.record ?? '')]).toEqual([state, record])
      }
    })

    test('is replaced where what it says is not final, or success follows a failure', async () => {
      await using backend = await redis.open(server.url, optionsOf(golden))
      await load(client, golden.keys)
      const taskIds = writesOf(golden.keys).map(({ taskId }) => taskId)
      const record = '{"status": "SUCCESS", "result": "ours"}'
      await backend.store(taskIds.map((taskId) => ({ taskId, state: 'SUCCESS', record })))
      const found = await backend.fetch(taskIds)
      const replaced = taskIds.filter((taskId) => Buffer.from(found.get(taskId)?.record ?? '').toString() === record)
      expect(replaced.map((taskId) => taskId.slice(-2))).toEqual(['02', '03'])
    })
  })

  describe.each(readGoldenChords())('$name', ({ ordered, snapshots, version }) => {
    const options = { transportOptions: ordered && version !== '4.3' ? {} : { result_chord_ordered: false } }
    const members = (snapshots[1]?.['celery-taskset-meta-grp-9.j']?.value ?? []) as readonly unknown[]
    const texts = members.map((member) => (Array.isArray(member) ? String(member[0]) : String(member)))
    // The recorded one of index 1 came first.
    const part = (index: 0 | 1 | 2): ChordPart => {
      const taskId = index === 2 ? 'the-third-part-of-it' : `90000000-0000-4000-8000-00000000005${index}`
      const member = texts.find((text) => text.includes(taskId)) ?? '[1, "the-third-part-of-it", "SUCCESS", null]'
      return { groupId: 'grp-9', taskId, index, state: 'SUCCESS', member, size: version === '4.3' ? 3 : undefined }
    }

    test('is what we leave, for the same parts', async () => {
      await using backend = await redis.open(server.url, options)
      await client.send('FLUSHDB')
      if (version !== '4.3') await backend.chords?.begin('grp-9', 3, { ttlMs: 86_400_000 })
      for (const [i, index] of ([1, 0] as const).entries()) {
        expect(await backend.chords?.recordPart(part(index), { ttlMs: 86_400_000 })).toBeUndefined()
        const { 'celery-taskset-meta-grp-9._celery': own, ...left } = await dump(client)
        expect(left).toEqual(snapshots[i])
        expect(own?.ttl).toBe(86_400)
      }
    })

    test('is completed by our part, and by none of theirs that comes again', async () => {
      await using backend = await redis.open(server.url, options)
      await load(client, snapshots[1] ?? {})
      if (ordered && version !== '4.3') expect(await backend.chords?.recordPart(part(0))).toBeUndefined()
      const completion = await backend.chords?.recordPart(part(2))
      expect(completion?.members.map(String)).toEqual([...texts, part(2).member])
      await completion?.[Symbol.asyncDispose]()
      expect(Object.keys(await dump(client))).toEqual(['celery-taskset-meta-grp-9._celery'])
    })
  })
})

function optionsOf({ conf, keys }: GoldenResults): { readonly transportOptions: Readonly<Record<string, unknown>> } {
  // Celery before 5.3 has no prefix, and passes over the option.
  const hasPrefix = Object.keys(keys).every((key) => key.startsWith('pfx_'))
  return { transportOptions: hasPrefix ? (conf?.result_backend_transport_options ?? {}) : {} }
}

function writesOf(keys: GoldenKeys): (ResultWrite & { readonly record: Buffer })[] {
  return Object.entries(onlyRecords(keys)).map(([key, { ttl, value }]) => {
    const write = {
      taskId: key.slice(key.indexOf('celery-task-meta-') + 'celery-task-meta-'.length),
      state: states[key.slice(-2)] ?? 'unknown',
      record: bytesOf(value),
    }
    return ttl < 0 ? write : { ...write, ttlMs: ttl * 1000 }
  })
}

function onlyRecords(keys: GoldenKeys): GoldenKeys {
  return Object.fromEntries(Object.entries(keys).filter(([key]) => key.includes('celery-task-meta-')))
}
