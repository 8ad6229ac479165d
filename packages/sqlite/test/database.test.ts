import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Database, type OpenDatabaseOptions, openDatabase, storedText, withBusyRetry } from '../src/index.ts'

type DriverName = NonNullable<OpenDatabaseOptions['driver']>

const hasNodeSqlite = process.getBuiltinModule?.('node:sqlite') !== undefined
const drivers: readonly DriverName[] = hasNodeSqlite ? ['libsql', 'node:sqlite'] : ['libsql']

describe.each(drivers)('a database over %s', (driver) => {
  test('gives back values as they were stored', async () => {
    const { database } = await open()
    database.exec('CREATE TABLE t (a, b, c, d, e)')
    const insert = database.prepare('INSERT INTO t VALUES (?, ?, ?, ?, ?)')
    expect(insert.run([1, 1.5, 'é', new Uint8Array([1, 2]), null])).toMatchObject({ changes: 1, lastInsertRowid: 1 })
    const select = database.prepare('SELECT * FROM t')
    const [row] = select.all([])
    expect(Object.keys(row ?? {})).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(row?.['d']).toBeInstanceOf(Uint8Array)
    const blob = Uint8Array.from(row?.['d'] as Uint8Array)
    expect({ ...row, d: blob }).toEqual({ a: 1, b: 1.5, c: 'é', d: new Uint8Array([1, 2]), e: null })
    expect(Object.keys(select.get([]) ?? {})).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(select.values([])[0]?.slice(0, 3)).toEqual([1, 1.5, 'é'])
    expect(database.prepare('SELECT 1 WHERE 0').get([])).toBeUndefined()
  })

  test('text that is none is read as bytes, where it is asked for so', async () => {
    const { database } = await open()
    database.exec(
      "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('é'), (CAST(x'61ff' AS TEXT)), (CAST(x'610062' AS TEXT))",
    )
    const rows = database.prepare('SELECT CAST(a AS BLOB) FROM t').values([])
    const [text, spoiled, withNul] = rows.map(([value]) => storedText(value))
    expect([text, withNul]).toEqual(['é', 'a\0b'])
    expect(Uint8Array.from(spoiled as Uint8Array)).toEqual(Uint8Array.of(0x61, 0xff))
    expect(storedText(1.5)).toBe('1.5')
  })

  test('stores booleans as 0 and 1 and refuses a wrong number of parameters', async () => {
    const { database } = await open()
    expect(database.prepare('SELECT ? AS yes, ? AS no').get([true, false])).toMatchObject({ yes: 1, no: 0 })
    expect(() => database.prepare('SELECT ?').all([])).toThrow(TypeError)
  })

  test('returns the rows of a statement that changes some', async () => {
    const { database } = await open()
    database.exec('CREATE TABLE t (a)')
    expect(database.prepare('INSERT INTO t VALUES (?), (?) RETURNING a').values([1, 2])).toEqual([[1], [2]])
  })

  test('commits a transaction, or undoes all of it where it throws', async () => {
    const { database } = await open()
    database.exec('CREATE TABLE t (a)')
    const insert = database.prepare('INSERT INTO t VALUES (?)')
    expect(database.transaction(() => insert.run([1]).changes)).toBe(1)
    const failing = (): void => {
      insert.run([2])
      throw new Error('changed my mind')
    }
    expect(() => database.transaction(failing)).toThrow('changed my mind')
    expect(database.prepare('SELECT a FROM t').values([])).toEqual([[1]])
  })

  test('does not report a transaction as failed that it has committed, whatever happens to the log', async () => {
    const told: Error[] = []
    const path = join(await temporaryFolder(), 'file.db')
    const database = await openOther(path, { onCheckpointError: (error) => void told.push(error) })
    database.exec('CREATE TABLE t (a)')
    const insert = database.prepare('INSERT INTO t VALUES (?)')
    const log = `${database.path}-wal`
    await rename(log, `${log}.moved`)
    // A path that leads to itself: asking for the size of what it names is an error.
    await symlink(log, log)
    // More than between two looks at the size of the log.
    for (let n = 0; n < 40; n++) database.transaction(() => insert.run([n]))
    expect(database.prepare('SELECT count(*) FROM t').values([])).toEqual([[40]])
    expect(told).toMatchObject([{ code: 'ERR_CELERY_DATABASE_UNAVAILABLE', reason: 'io' }])
  })

  test('refuses a transaction in a transaction, and one that is asynchronous', async () => {
    const { database } = await open()
    expect(() => database.transaction(() => database.transaction(() => 1))).toThrow('do not nest')
    expect(() => database.transaction(async () => {})).toThrow('synchronous')
    expect(database.transaction(() => 1)).toBe(1)
  })

  test('says that the file is locked, and takes the lock as soon as it is free', async () => {
    const { database, path } = await open()
    const other = await openOther(path)
    other.exec('BEGIN IMMEDIATE')
    const error = capture(() => database.transaction(() => 1))
    expect(error).toMatchObject({ code: 'ERR_CELERY_DATABASE_BUSY', path: database.path })
    const waiting = withBusyRetry(() => database.transaction(() => 'mine'))
    other.exec('COMMIT')
    expect(await waiting).toBe('mine')
  })

  test('is in WAL mode, for its user only, in a folder that is made if missing', async () => {
    const { database, folder } = await open('a/b/file.db')
    expect(database.prepare('PRAGMA journal_mode').values([])).toEqual([['wal']])
    expect(database.prepare('PRAGMA synchronous').values([])).toEqual([[1]])
    expect((await stat(database.path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o700)
  })

  test('has one domain, whatever name it is opened by', async () => {
    const { database, folder } = await open()
    const link = join(folder, 'link.db')
    await symlink(database.path, link)
    const other = await openOther(link)
    expect(other.domain).toBe(`sqlite:${database.path}`)
    expect(other.domain).toBe(database.domain)
  })

  test('does not write into a file that was moved or replaced', async () => {
    const { database } = await open()
    database.exec('CREATE TABLE t (a)')
    await rename(database.path, `${database.path}.moved`)
    expect(capture(() => database.transaction(() => 1))).toMatchObject({ reason: 'moved', path: database.path })
    await writeFile(database.path, '')
    expect(capture(() => database.transaction(() => 1))).toMatchObject({ reason: 'moved' })
  })

  test('says what is wrong with a file that it cannot use', async () => {
    const folder = await temporaryFolder()
    const junk = join(folder, 'junk.db')
    await writeFile(junk, 'not a database, and longer than the hundred bytes of a header. '.repeat(10))
    await expect(openDatabase(junk, { driver })).rejects.toMatchObject({ reason: 'not-a-database', path: junk })
    await expect(openDatabase(join(junk, 'file.db'), { driver })).rejects.toMatchObject({ reason: 'cannot-open' })
    // Where nobody can make a folder, and Linux says that there is none.
    await expect(openDatabase('/proc/nowhere/below/file.db', { driver })).rejects.toMatchObject({
      reason: 'cannot-open',
    })
  })

  test.runIf(process.platform !== 'win32')('refuses at once what is no file', async () => {
    const folder = await temporaryFolder()
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const link = join(folder, 'link.db')
    await symlink('/dev/null', link)
    for (const path of [folder, pipe, '/dev/null', '/dev/zero', link]) {
      const error = await openDatabase(path, { driver }).catch((caught: unknown) => caught)
      expect(error).toMatchObject({
        code: 'ERR_CELERY_DATABASE_UNAVAILABLE',
        reason: 'not-a-file',
        message: `${path} is a folder, a device or the like, and no file: choose another path`,
      })
    }
    expect(await readdir(folder)).toEqual(['link.db', 'pipe'])
  })

  test.each(['', ':memory:'])('refuses "%s", which names no file to share', async (name) => {
    await expect(openDatabase(name, { driver })).rejects.toThrow(TypeError)
    await expect(openDatabase(name, { driver })).rejects.toThrow(`"${name}" names no file`)
  })

  test('says that a file cannot grow, and keeps what it has', async () => {
    const { database } = await open()
    database.exec('CREATE TABLE t (a); INSERT INTO t VALUES (1)')
    const pages = database.prepare('PRAGMA page_count').values([])[0]?.[0] as number
    database.exec(`PRAGMA max_page_count = ${pages + 2}`)
    const insert = database.prepare('INSERT INTO t VALUES (?)')
    const error = capture(() => database.transaction(() => insert.run(['x'.repeat(100_000)])))
    expect(error).toMatchObject({ code: 'ERR_CELERY_DATABASE_UNAVAILABLE', reason: 'full' })
    expect(database.transaction(() => insert.run([2]).changes)).toBe(1)
    expect(database.integrityCheck()).toEqual([])
  })

  test('empties its log when that has grown, so that it does not grow without bound', async () => {
    const { database } = await open()
    database.exec('CREATE TABLE t (a)')
    const insert = database.prepare('INSERT INTO t VALUES (?)')
    let largest = 0
    for (let count = 0; count < 400; count++) {
      database.transaction(() => insert.run(['x'.repeat(50_000)]))
      database.exec('DELETE FROM t')
      largest = Math.max(largest, statSync(`${database.path}-wal`).size)
    }
    expect(largest).toBeGreaterThan(4_194_304)
    expect(largest).toBeLessThan(8_388_608)
    expect((await stat(database.path)).size).toBeLessThan(8_388_608)
  })

  test('does not try at once again to empty a log that somebody reads, which would hold up all writers', async () => {
    const { database, path } = await open()
    database.exec('CREATE TABLE t (a)')
    const reader = await openOther(path)
    reader.exec('BEGIN')
    reader.prepare('SELECT * FROM t').values([])
    database.exec("INSERT INTO t VALUES ('x')")
    expect(database.isCheckpointDue(1)).toBe(true)
    expect(database.checkpoint(0)).toBe(false)
    expect(database.isCheckpointDue(1)).toBe(false)
    reader.exec('COMMIT')
    expect(database.checkpoint(5_000)).toBe(true)
    database.exec("INSERT INTO t VALUES ('y')")
    expect(database.isCheckpointDue(1)).toBe(true)
  })

  test('closes twice, leaves nothing in the log, and is of no use afterwards', async () => {
    const { database, folder } = await open()
    database.exec('CREATE TABLE t (a)')
    database.close()
    database.close()
    expect(capture(() => database.exec('SELECT 1'))).toMatchObject({ reason: 'closed' })
    const log = (await readdir(folder)).find((name) => name.endsWith('-wal'))
    expect(log === undefined ? 0 : (await stat(join(folder, log))).size).toBe(0)
  })

  async function open(name = 'file.db'): Promise<{ database: Database; path: string; folder: string }> {
    const folder = await temporaryFolder()
    const path = join(folder, name)
    return { database: await openOther(path), path, folder }
  }

  async function openOther(path: string, options: OpenDatabaseOptions = {}): Promise<Database> {
    const database = await openDatabase(path, { driver, ...options })
    onTestFinished(() => database.close())
    return database
  }
})

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-sqlite-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}

function capture(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
