import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openDatabase } from '@celery/sqlite'
import { describe, expect, test, vi } from 'vitest'
import { SqliteStore, sqlite } from '../src/index.ts'
import { openSqliteStore, temporaryFolder } from './open-sqlite-store.ts'

const success = (taskId: string) => ({ taskId, state: 'SUCCESS', record: 'done' })

describe('the file that a URL names', () => {
  test.each([
    ['plain.db', 'plain.db'],
    ['a%3Bb.db', 'a;b.db'],
    ['a%3Fb.db?timeout=5', 'a?b.db'],
    ['a%23b#c.db', 'a#b#c.db'],
    ['a b%20c.db', 'a b c.db'],
    ['50%25%.db', '50%%.db'],
    ['a%252Fb.db', 'a%2Fb.db'],
    ['%C3%BC.db ; ', 'ü.db'],
  ])('is the one that a broker of the same URL opens: %s is "%s"', async (written, name) => {
    await using folder = await temporaryFolder()
    await using backend = await sqlite.open(`sqlite:///${folder.path}/${written}`)
    expect(backend.domain).toBe(`sqlite:${join(folder.path, name)}`)
  })

  test.each([
    'sqlite://',
    'sqlite://queue.db',
    'sqlite://host/queue.db',
    'sqlite://user@/queue.db',
    'sqlite:////tmp/',
    'sqlite:///:memory:',
    'sqlite:///a;b.db',
    'sqlite:///a.db;sqlite:///b.db',
  ])('is refused where a broker refuses it: %s', async (url) => {
    await expect(sqlite.open(url)).rejects.toMatchObject({ code: 'ERR_CELERY_INVALID_DATABASE_URL' })
  })
})

test('what a disk has spoiled is given back as bytes, and ends nothing', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'queue.db')
  await using backend = await sqlite.open(`sqlite:///${file}`)
  await backend.store([success('a'), success('b')])
  const other = await openDatabase(file)
  other.exec("UPDATE celery_results SET value = CAST(x'7bff7d' AS TEXT) WHERE key LIKE '%a'")
  other.close()
  const fetched = await backend.fetch(['a', 'b'])
  expect(Uint8Array.from(fetched.get('a')?.record as Uint8Array)).toEqual(Uint8Array.of(0x7b, 0xff, 0x7d))
  expect(fetched.get('b')?.record).toBe('done')
})

describe('a file that another connection has locked', () => {
  test('is waited for without blocking, and then the write happens', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'queue.db')
    await using backend = await sqlite.open(`sqlite:///${file}`)
    const other = await openDatabase(file)
    other.exec('BEGIN IMMEDIATE')
    const storing = backend.store([success('a')])
    // Everything else goes on: timers fire, and reading does not wait for the writer.
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1))
    expect((await backend.fetch(['a'])).size).toBe(0)
    other.exec('COMMIT')
    await storing
    expect((await backend.fetch(['a'])).size).toBe(1)
    other.close()
  })

  test('is given up on at the deadline with an error that says so', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'queue.db')
    await using backend = await sqlite.open(`sqlite:///${file}`, { transportOptions: { lockTimeoutMs: 50 } })
    const other = await openDatabase(file)
    other.exec('BEGIN IMMEDIATE')
    await expect(backend.store([success('a')])).rejects.toMatchObject({
      code: 'ERR_CELERY_BACKEND_UNAVAILABLE',
      cause: { code: 'ERR_CELERY_DATABASE_BUSY' },
    })
    other.exec('ROLLBACK')
    other.close()
    await backend.store([success('a')])
    expect((await backend.fetch(['a'])).size).toBe(1)
  })

  test('is no longer waited for when the call is aborted', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'queue.db')
    await using backend = await sqlite.open(`sqlite:///${file}`)
    const other = await openDatabase(file)
    other.exec('BEGIN IMMEDIATE')
    const abort = new AbortController()
    const storing = backend.store([success('a')], { signal: abort.signal })
    abort.abort(new Error('changed my mind'))
    await expect(storing).rejects.toThrow('changed my mind')
    other.exec('ROLLBACK')
    other.close()
    expect((await backend.fetch(['a'])).size).toBe(0)
  })
})

test('a file that was deleted while in use rejects writes with a named error', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'queue.db')
  await using backend = await sqlite.open(`sqlite:///${file}`)
  await rm(file)
  await expect(backend.store([success('a')])).rejects.toMatchObject({
    code: 'ERR_CELERY_BACKEND_UNAVAILABLE',
    cause: { code: 'ERR_CELERY_DATABASE_UNAVAILABLE', reason: 'moved' },
  })
})

test('a file that is no database is refused with a named error, and left alone', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'letter.txt')
  const text = 'Dear reader, this is no database. '.repeat(100)
  await writeFile(file, text)
  await expect(sqlite.open(`sqlite:///${file}`)).rejects.toMatchObject({ code: 'ERR_CELERY_BACKEND_UNAVAILABLE' })
  expect(await readFile(file, 'utf8')).toBe(text)
})

test('two connections share a domain however the file was named', async () => {
  await using folder = await temporaryFolder()
  await using first = await sqlite.open(`sqlite:///${folder.path}/queue.db`)
  await using second = await sqlite.open(`sqlite:////${folder.path}/./queue.db?x=1`)
  expect(second.domain).toBe(first.domain)
  expect(first.domain).toMatch(/^sqlite:\/.*queue\.db$/)
})

test('options that are no numbers are refused', async () => {
  const open = sqlite.open('sqlite:////tmp/never-made.db', { transportOptions: { lockTimeoutMs: '5' } })
  await expect(open).rejects.toThrow(/lockTimeoutMs must be a number/)
})

test('a global key prefix keeps applications apart in one file', async () => {
  await using folder = await temporaryFolder()
  const url = `sqlite:///${folder.path}/queue.db`
  await using one = await sqlite.open(url, { transportOptions: { global_keyprefix: 'one' } })
  await using two = await sqlite.open(url, { transportOptions: { global_keyprefix: 'two' } })
  await one.store([success('a')])
  expect((await one.fetch(['a'])).size).toBe(1)
  expect((await two.fetch(['a'])).size).toBe(0)
})

test('a batch larger than one transaction is stored, read and forgotten whole', async () => {
  await using store = await openSqliteStore()
  await using backend = await store.connect()
  const taskIds = Array.from({ length: 2_500 }, (_, i) => `task-${i}`)
  await backend.store(taskIds.map(success))
  expect((await backend.fetch(taskIds)).size).toBe(2_500)
  await backend.forget(taskIds.slice(0, 2_001))
  expect((await backend.fetch(taskIds)).size).toBe(499)
})

test('commits about other things make no calls', async () => {
  await using store = await openSqliteStore()
  await using backend = await store.connect()
  await using other = await store.connect()
  const told: string[] = []
  let wake = (): void => undefined
  const last = new Promise<void>((resolve) => {
    wake = resolve
  })
  await using _watch = await backend.watch(['mine', 'last'], (taskId) => {
    told.push(taskId)
    if (taskId === 'last') wake()
  })
  for (let i = 0; i < 500; i += 1) await other.store([success(`other-${i}`)])
  await other.store([success('last')])
  await last
  expect(told).toEqual(['last'])
})

test('expired records go away by themselves in a process that writes', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'queue.db')
  await using store = await SqliteStore.open(file, { cleanupIntervalMs: 1 })
  const entries = Array.from({ length: 2_100 }, (_, i) => ({ key: `k${i}`, state: 'SUCCESS', value: 'v', ttlMs: 0 }))
  await store.putUnlessTerminal([...entries, { key: 'kept', state: 'SUCCESS', value: 'v' }])
  const database = await openDatabase(file)
  const count = database.prepare('SELECT count(*) FROM celery_results')
  await vi.waitFor(() => expect(count.values([])).toEqual([[1]]), { timeout: 10_000, interval: 5 })
  database.close()
})

test('plain values are replaced whatever they are', async () => {
  await using folder = await temporaryFolder()
  await using store = await SqliteStore.open(join(folder.path, 'queue.db'))
  await store.set([{ key: 'group', value: 'first' }])
  const withNul = 'second\u0000'
  await store.set([{ key: 'group', value: withNul }])
  // SQLite ends text at the first NUL, so this comes back as its bytes.
  expect(await store.getMany(['group'])).toEqual(
    new Map([['group', { value: Buffer.from(withNul), state: undefined }]]),
  )
})
