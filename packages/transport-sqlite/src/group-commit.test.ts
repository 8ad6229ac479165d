import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Database, openDatabase } from '@celery/sqlite'
import { expect, onTestFinished, test, vi } from 'vitest'
import { GroupCommit } from './group-commit.ts'

test('what is asked for in one turn of the event loop shares a transaction', async () => {
  const { commits, insert, begun } = await setUp()
  await Promise.all([1, 2, 3].map((value) => commits.submit(() => insert(value))))
  expect(begun()).toBe(1)
})

test('one that fails does so alone', async () => {
  const { commits, insert, values } = await setUp()
  const failing = (): void => {
    insert(2)
    throw new TypeError('a mistake')
  }
  const settled = await Promise.allSettled([
    commits.submit(() => insert(1)),
    commits.submit(failing),
    commits.submit(() => insert(3)),
  ])
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(values()).toEqual([1, 3])
})

test('one that was aborted before its turn does not happen', async () => {
  const { commits, insert, values } = await setUp()
  const controller = new AbortController()
  const aborted = commits.submit(() => insert(1), { signal: controller.signal })
  const other = commits.submit(() => insert(2))
  controller.abort(new Error('enough'))
  await expect(aborted).rejects.toThrow('enough')
  await other
  expect(values()).toEqual([2])
})

test('very many are committed in parts, so that the event loop turns', async () => {
  const { commits, insert, begun, values } = await setUp()
  const slow = (value: number): void => {
    const until = performance.now() + 1
    while (performance.now() < until);
    insert(value)
  }
  const all = Array.from({ length: 40 }, (_, value) => value)
  await Promise.all(all.map((value) => commits.submit(() => slow(value))))
  expect(begun()).toBeGreaterThan(1)
  expect(values()).toEqual(all)
})

test('a loop of operations, one after the other, lets the event loop turn', async () => {
  const { commits, insert } = await setUp()
  let turned = false
  setImmediate(() => {
    turned = true
  })
  // A bounded loop, because without the turn not even the timer of the test would fire.
  for (let count = 0; !turned && count < 100_000; count++) await commits.submit(() => insert(count))
  expect(turned).toBe(true)
})

test('what is abandoned rejects, and nothing of it happens', async () => {
  const { commits, insert, values } = await setUp()
  const pending = commits.submit(() => insert(1))
  commits.abandon(new Error('closed'))
  await expect(pending).rejects.toThrow('closed')
  await commits.submit(() => insert(2))
  expect(values()).toEqual([2])
})

test('F-13: waits while the file is locked, and rejects by name at the deadline', async () => {
  const { commits, insert, values, path } = await setUp(50)
  const other = await open(path)
  other.exec('BEGIN IMMEDIATE')
  await expect(commits.submit(() => insert(1))).rejects.toMatchObject({ code: 'ERR_CELERY_DATABASE_BUSY' })
  const waiting = commits.submit(() => insert(2))
  other.exec('COMMIT')
  await waiting
  expect(values()).toEqual([2])
})

test('tells for how long nobody could write: the wait for the file, and what went before is over with it', async () => {
  const { commits, insert, blocked, path } = await setUp(50)
  const other = await open(path)
  other.exec('BEGIN IMMEDIATE')
  await expect(commits.submit(() => insert(1))).rejects.toMatchObject({ code: 'ERR_CELERY_DATABASE_BUSY' })
  const waiting = commits.submit(() => insert(2))
  await new Promise(setImmediate)
  other.exec('COMMIT')
  await waiting
  expect(blocked.at(-1)).toBeGreaterThan(0)
  await commits.submit(() => insert(3))
  expect(blocked.at(-1)).toBe(0)

  other.exec('BEGIN IMMEDIATE')
  await expect(commits.submit(() => insert(4))).rejects.toMatchObject({ code: 'ERR_CELERY_DATABASE_BUSY' })
  other.exec('COMMIT')
  await commits.idle()
  await commits.submit(() => insert(5))
  expect(blocked.at(-1)).toBe(0)
})

test('a stall of its own counts for as long as it was, and idle time does not', async () => {
  let nowMs = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  onTestFinished(() => clock.mockRestore())
  const { commits, insert, blocked } = await setUp()
  const stall = async (afterMs: number): Promise<number | undefined> => {
    await commits.submit(() => {
      nowMs += 120
    })
    nowMs += afterMs
    await commits.submit(() => insert(1))
    return blocked.at(-1)
  }
  expect(await stall(0)).toBe(120)
  expect(await stall(100)).toBe(220)
  expect(await stall(3_000)).toBe(0)
})

async function setUp(deadlineMs = 5_000) {
  const folder = await mkdtemp(join(tmpdir(), 'celery-commit-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'file.db')
  const database = await open(path)
  database.exec('CREATE TABLE t (value)')
  const statement = database.prepare('INSERT INTO t VALUES (?)')
  const blocked: number[] = []
  const commits = new GroupCommit(database, deadlineMs, {
    begin(blockedMs) {
      blocked.push(blockedMs)
    },
    beforeCommit() {},
    rolledBack() {},
  })
  return {
    path,
    commits,
    blocked,
    begun: () => blocked.length,
    insert: (value: number): void => void statement.run([value]),
    values: () => database.prepare('SELECT value FROM t ORDER BY rowid').values([]).flat(),
  }
}

async function open(path: string): Promise<Database> {
  const database = await openDatabase(path)
  onTestFinished(() => database.close())
  return database
}
