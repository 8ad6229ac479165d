import { ManualClock } from '@celery/promises'
import { describe, expect, test } from 'vitest'
import { keyValueBackend } from './key-value-backend.ts'
import type { KeyValueEntry, KeyValueStore, StateWrite } from './key-value-store.ts'

/** The least a store can be. Keeps the last write, so the rules are not its business here. */
class PlainStore implements KeyValueStore {
  readonly domain = undefined
  readonly entries = new Map<string, KeyValueEntry>()
  reads = 0
  failing: Error | undefined
  closed = 0

  async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, KeyValueEntry>> {
    this.reads += 1
    if (this.failing !== undefined) throw this.failing
    return new Map([...this.entries].filter(([key]) => keys.includes(key)))
  }

  async set(): Promise<void> {}

  async putUnlessTerminal(entries: readonly StateWrite[]): Promise<void> {
    for (const { key, value, state } of entries) this.entries.set(key, { value, state })
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.entries.delete(key)
  }

  async close(): Promise<void> {
    this.closed += 1
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const success = (taskId: string, record = 'done') => ({ taskId, state: 'SUCCESS', record })

/** Long enough for everything that only waits for promises. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('uses the key names of Celery', async () => {
  const store = new PlainStore()
  await keyValueBackend(store).store([success('a')])
  await keyValueBackend(store, { keyPrefix: 'app' }).store([success('a')])
  expect([...store.entries.keys()]).toEqual(['celery-task-meta-a', 'app_celery-task-meta-a'])
})

test('takes the limit for records as bytes of UTF-8, not as characters', async () => {
  const backend = keyValueBackend(new PlainStore(), { maxRecordBytes: 10 })
  await backend.store([success('a', 'x'.repeat(10)), success('b', 'ü'.repeat(5))])
  await expect(backend.store([success('c', 'ü'.repeat(6))])).rejects.toMatchObject({
    code: 'ERR_CELERY_RESULT_TOO_LARGE',
    taskId: 'c',
    sizeBytes: 12,
    maxBytes: 10,
  })
})

test('says which task has something under its key that is no result', async () => {
  const store = new PlainStore()
  store.entries.set('celery-task-meta-a', { value: 'junk', state: undefined })
  expect([...(await keyValueBackend(store).fetch(['a'])).values()]).toEqual([
    { taskId: 'a', state: undefined, record: 'junk' },
  ])
})

test('closes its store once', async () => {
  const store = new PlainStore()
  const backend = keyValueBackend(store)
  await Promise.all([backend.close(), backend.close()])
  await backend[Symbol.asyncDispose]()
  expect(store.closed).toBe(1)
})

describe('a store that cannot tell of changes', () => {
  test('is read once per interval for all watchers, and not at all after the last has gone', async () => {
    const [store, clock] = [new PlainStore(), new ManualClock()]
    const backend = keyValueBackend(store, { clock, pollIntervalMs: 100 })
    const told: string[] = []
    const watches = await Promise.all(['a', 'b', 'c'].map((id) => backend.watch([id], (taskId) => told.push(taskId))))
    const before = store.reads
    await backend.store([success('b')])
    clock.advance(100)
    await settled()
    expect(told).toEqual(['b'])
    expect(store.reads).toBe(before + 1)
    clock.advance(100)
    await settled()
    expect(told).toEqual(['b'])
    expect(store.reads).toBe(before + 2)
    for (const watch of watches) await watch[Symbol.asyncDispose]()
    clock.advance(1_000)
    await settled()
    expect(store.reads).toBe(before + 2)
  })

  test('calls every watcher when it cannot be read, so that the reader meets the error, and goes on', async () => {
    const [store, clock] = [new PlainStore(), new ManualClock()]
    const backend = keyValueBackend(store, { clock, pollIntervalMs: 100 })
    const told: string[] = []
    await using _watch = await backend.watch(['a', 'b'], (taskId) => told.push(taskId))
    store.failing = new Error('the server is gone')
    clock.advance(100)
    await settled()
    expect(told).toEqual(['a', 'b'])
    await expect(backend.fetch(['a'])).rejects.toThrow('the server is gone')
    store.failing = undefined
    await backend.store([success('a')])
    clock.advance(100)
    await settled()
    expect(told).toEqual(['a', 'b', 'a'])
  })

  test('rejects a watch that it cannot begin', async () => {
    const store = new PlainStore()
    store.failing = new Error('the server is gone')
    await expect(keyValueBackend(store).watch(['a'], () => undefined)).rejects.toThrow('the server is gone')
  })

  test('stops a watch whose beginning was aborted', async () => {
    const [store, clock] = [new PlainStore(), new ManualClock()]
    const backend = keyValueBackend(store, { clock, pollIntervalMs: 100 })
    const abort = new AbortController()
    const watching = backend.watch(['a'], () => undefined, { signal: abort.signal })
    abort.abort(new Error('changed my mind'))
    await expect(watching).rejects.toThrow('changed my mind')
    await settled()
    const before = store.reads
    clock.advance(1_000)
    await settled()
    expect(store.reads).toBe(before)
  })
})
