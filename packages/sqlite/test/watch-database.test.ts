import { execFile } from 'node:child_process'
import { appendFile, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Database, openDatabase, type WatchedDatabase, type WatchOptions, watchDatabase } from '../src/index.ts'

/** Longer than any test, so that only events of the file system can wake. */
const neverPolls = { minPollMs: 3_600_000, maxPollMs: 3_600_000 }

describe('watching a database', () => {
  test('tells of a commit by another connection without polling', async () => {
    const { database, other } = await setUp()
    const changed = nextChange(database, neverPolls)
    other.exec('CREATE TABLE t (a)')
    await changed
  })

  test('tells of a commit by another process', async () => {
    const { database, path } = await setUp()
    const changed = nextChange(database, neverPolls)
    const program = `
      const { openDatabase } = await import('@celery/sqlite')
      const database = await openDatabase(${JSON.stringify(path)})
      database.exec('CREATE TABLE t (a)')
      database.close()`
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: import.meta.dirname,
    })
    await changed
  })

  test('looks again when the event came before the commit shows', async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'celery-watch-')))
    onTestFinished(() => rm(folder, { recursive: true }))
    const log = join(folder, 'file.db-wal')
    await writeFile(log, 'a')
    let version = 1
    let looks = 0
    const fake: WatchedDatabase = {
      path: join(folder, 'file.db'),
      checkPresent() {},
      dataVersion() {
        // The first look is that of the beginning, the second that of the event.
        if (++looks === 2) {
          setTimeout(() => {
            version = 2
          }, 2)
        }
        return version
      },
    }
    const changed = nextChange(fake, neverPolls)
    await appendFile(log, 'b')
    await changed
    expect(looks).toBeGreaterThan(2)
  })

  test('finds by polling what the file system does not tell', async () => {
    const { database, other } = await setUp()
    const changed = nextChange(database, { minPollMs: 1, maxPollMs: 5, fileEvents: false })
    other.exec('CREATE TABLE t (a)')
    await changed
  })

  test('does not tell of commits of its own connection', async () => {
    const { database, other } = await setUp()
    let calls = 0
    const watch = watchDatabase(database, () => calls++)
    onTestFinished(() => watch.close())
    database.exec('CREATE TABLE t (a)')
    const changed = nextChange(database, {})
    other.exec('INSERT INTO t VALUES (1)')
    await changed
    await new Promise((resolve) => setImmediate(resolve))
    expect(calls).toBeLessThanOrEqual(1)
  })

  test('reports that the file was moved away', async () => {
    const { database, path } = await setUp()
    const failed = new Promise((resolve) => {
      const watch = watchDatabase(database, () => {}, { minPollMs: 5, onError: resolve })
      onTestFinished(() => watch.close())
    })
    await rename(path, `${path}.moved`)
    expect(await failed).toMatchObject({ code: 'ERR_CELERY_DATABASE_UNAVAILABLE', reason: 'moved' })
  })

  test('is silent once closed', async () => {
    const { database, other } = await setUp()
    let calls = 0
    const watch = watchDatabase(database, () => calls++)
    watch.close()
    watch.close()
    const changed = nextChange(database, {})
    other.exec('CREATE TABLE t (a)')
    await changed
    expect(calls).toBe(0)
  })
})

function nextChange(database: WatchedDatabase, options: WatchOptions): Promise<void> {
  return new Promise((resolve) => {
    const watch = watchDatabase(
      database,
      () => {
        watch.close()
        resolve()
      },
      options,
    )
  })
}

async function setUp(): Promise<{ database: Database; other: Database; path: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-watch-'))
  const path = join(folder, 'file.db')
  const [database, other] = [await openDatabase(path), await openDatabase(path)]
  onTestFinished(async () => {
    database.close()
    other.close()
    await rm(folder, { recursive: true })
  })
  return { database, other, path }
}
