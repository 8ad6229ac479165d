import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase } from '@celery/sqlite'
import type { VirtualBroker } from '@celery/transport/virtual'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openSqliteBroker, type SqliteBrokerOptions } from '../src/index.ts'

const message = { queue: 'q', tag: 'a', payload: 'body', priority: 0 }
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

describe('F-13: a file that another process keeps locked', () => {
  test('rejects what cannot be written, by name and in bounded time, and takes it when the lock is gone', async () => {
    const { broker, other } = await setUp({ lockTimeoutMs: 100 })
    other.exec('BEGIN EXCLUSIVE')
    await expect(broker.put([message])).rejects.toMatchObject({ code: 'ERR_CELERY_BROKER_BUSY' })
    other.exec('COMMIT')
    await broker.put([message])
    expect(await broker.fetch(['q'], { max: 10, signal: soon() })).toHaveLength(1)
  })

  test('waits without keeping the event loop busy', async () => {
    const { broker, other } = await setUp()
    other.exec('BEGIN EXCLUSIVE')
    const put = broker.put([message])
    // A blocked event loop would never get here before the deadline of the put.
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
    other.exec('COMMIT')
    await put
  })

  test('honours the signal of an operation that waits for the lock, and does not carry it out later', async () => {
    const { broker, other } = await setUp()
    other.exec('BEGIN EXCLUSIVE')
    const controller = new AbortController()
    const put = broker.put([message], { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(put).rejects.toThrow('enough')
    other.exec('COMMIT')
    expect(await broker.declareQueue({ name: 'q' })).toMatchObject({ ready: 0 })
  })

  test('does not keep a connection from closing', async () => {
    const { broker, other } = await setUp()
    await broker.put([message])
    await broker.fetch(['q'], { max: 1, signal: soon() })
    other.exec('BEGIN EXCLUSIVE')
    await broker.close()
    other.exec('COMMIT')
    expect(other.prepare('SELECT count(*) FROM claim').values([])).toEqual([[1]])
  })
})

describe('F-13: a file that was moved away', () => {
  test('ends the connection with an error that says so', async () => {
    const { broker, path } = await setUp()
    await broker.put([message])
    await rename(path, `${path}.moved`)
    const lost = {
      code: 'ERR_CELERY_CONNECTION_LOST',
      cause: { code: 'ERR_CELERY_DATABASE_UNAVAILABLE', reason: 'moved' },
    }
    await expect(broker.put([{ ...message, tag: 'b' }])).rejects.toMatchObject(lost)
    await expect(broker.closed).rejects.toMatchObject(lost)
    await broker.close()
  })

  test('ends a fetch that waits for a message', async () => {
    const { broker, path } = await setUp()
    const fetch = broker.fetch(['q'], { max: 1, signal: soon() })
    const expected = expect(fetch).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    await broker.declareQueue({ name: 'q' })
    await rename(path, `${path}.moved`)
    await expected
  })
})

async function setUp(
  options: Partial<SqliteBrokerOptions> = {},
): Promise<{ broker: VirtualBroker; other: Database; path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-faults-'))
  const path = join(folder, 'queue.db')
  const broker = await openSqliteBroker({ path, ...options })
  const other = await openDatabase(path)
  onTestFinished(async () => {
    await broker.close()
    other.close()
    await rm(folder, { recursive: true })
  })
  return { broker, other, path }
}
