import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '@celery/sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BrokerFile } from './broker-file.ts'
import { type HeldKey, heldKey } from './fence.ts'
import { GroupCommit } from './group-commit.ts'
import { createSchema } from './schema.ts'

const nowMs = 1_000_000

describe('after a fetch that was rolled back, because the disk was full or another operation of its group failed', () => {
  test('a connection does not hold messages as the owner that another one has become', async () => {
    const { open } = await setUp(10)
    const [other, failed] = [await open(), await open()]
    await expect(failed.takeAndFail(2)).rejects.toThrow('disk is full')
    const held = [...(await other.take(2)), ...(await failed.take(2))]
    expect(new Set(held.map(({ fence }) => fence)).size).toBe(4)

    await other.end()
    expect(await failed.stillHeld()).toBe(2)
    expect(await other.stillHeld()).toBe(0)
  })

  test('a connection goes on as the owner that it was before', async () => {
    const { open, owners } = await setUp(10)
    const connection = await open()
    const before = await connection.take(2)
    await expect(connection.takeAndFail(2)).rejects.toThrow('disk is full')
    const after = await connection.take(2)
    expect(owners()).toBe(1)
    expect(new Set([...before, ...after].map(({ tag }) => tag)).size).toBe(4)
    await connection.end()
    expect(owners()).toBe(0)
  })
})

async function setUp(messages: number) {
  const folder = await mkdtemp(join(tmpdir(), 'celery-owner-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'queue.db')
  const database = await openFile(path)
  createSchema(database)
  const open = async (session: string) => {
    const own = await openFile(path)
    const file = new BrokerFile(own, { session, leaseMs: 30_000, graceMs: 0 })
    const commits = new GroupCommit(own, 5_000, {
      begin: () => file.begin(),
      beforeCommit: () => file.flush(nowMs),
      rolledBack: () => file.rolledBack(),
    })
    const mine: HeldKey[] = []
    const commit = <T>(run: () => T): Promise<T> =>
      commits.submit(() => {
        file.refresh()
        return run()
      })
    return {
      put: (tags: readonly string[]) =>
        commit(() => {
          file.topology.declareQueue({ name: 'q' }, session, nowMs)
          const put = tags.map((tag) => ({ queue: 'q', tag, payload: 'body', priority: 0 }))
          file.put(put, nowMs)
        }),
      async take(max: number) {
        const deliveries = await commit(() => file.take(['q'], max, nowMs))
        mine.push(...deliveries.map(heldKey))
        return deliveries
      },
      takeAndFail: (max: number) =>
        commit(() => {
          file.take(['q'], max, nowMs)
          throw new Error('disk is full')
        }),
      stillHeld: () => commit(() => mine.filter((key) => file.claims.find(key) !== undefined).length),
      end: () => commit(() => file.ownership.end()),
    }
  }
  const producer = await open('producer')
  await producer.put(Array.from({ length: messages }, (_, index) => `tag ${index}`))
  let sessions = 0
  return {
    database,
    open: () => open(`session ${sessions++}`),
    owners: () => database.prepare('SELECT count(*) FROM owner').values([])[0]?.[0],
  }
}

async function openFile(path: string) {
  const database = await openDatabase(path)
  onTestFinished(() => database.close())
  return database
}
