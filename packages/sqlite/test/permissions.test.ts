import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

/** Prints what comes of opening the file that it is given. */
const program = `
const { openDatabase } = await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)})
try {
  const database = await openDatabase(process.argv[1])
  database.transaction(() => database.exec('CREATE TABLE t (a)'))
  console.log('opened')
} catch (error) {
  console.log(error.code, error.reason, error.message)
}`

/** Permissions mean nothing to root, who lends these processes to somebody else. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

describe.runIf(process.platform !== 'win32')('a user who may not', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'celery-permissions-'))
  })
  afterEach(async () => {
    await chmod(folder, 0o700)
    await rm(folder, { recursive: true })
  })

  async function open(path: string, mode: number): Promise<string> {
    await chmod(folder, mode)
    const args = ['--input-type=module', '-e', program, path]
    const { stdout } = await promisify(execFile)(process.execPath, args, { ...user, cwd: '/', timeout: 60_000 })
    return stdout.trim()
  }

  test('write into the folder is told to look at its permissions', { timeout: 60_000 }, async () => {
    for (const path of [join(folder, 'file.db'), join(folder, 'below', 'file.db')]) {
      expect(await open(path, 0o555)).toBe(
        `ERR_CELERY_DATABASE_UNAVAILABLE cannot-open ${path} cannot be opened: check that the folder exists and its permissions`,
      )
    }
  })

  test('look into the folder, too', { timeout: 60_000 }, async () => {
    const inner = join(folder, 'inner')
    await mkdir(inner, { mode: 0o777 })
    const path = join(inner, 'file.db')
    expect(await open(path, 0o600)).toBe(
      `ERR_CELERY_DATABASE_UNAVAILABLE cannot-open ${path} cannot be opened: check that the folder exists and its permissions`,
    )
  })

  test('write into the file is told that', { timeout: 60_000 }, async () => {
    const path = join(folder, 'file.db')
    await writeFile(path, '', { mode: 0o444 })
    expect(await open(path, 0o777)).toBe(
      `ERR_CELERY_DATABASE_UNAVAILABLE read-only ${path} is not writable: check the permissions of the file and its folder`,
    )
  })

  test('do any of that may still work where it is allowed', { timeout: 60_000 }, async () => {
    expect(await open(join(folder, 'below', 'file.db'), 0o777)).toBe('opened')
  })
})
