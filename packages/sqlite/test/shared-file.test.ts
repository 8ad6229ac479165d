import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../src/index.ts'

const adapter = createRequire(import.meta.url).resolve('@celery/sqlite')

test('what this process commits is not lost when it opens a file twice and another process closes it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'celery-shared-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'shared.db')
  const first = await openDatabase(path)
  onTestFinished(() => first.close())
  const second = await openDatabase(path)
  onTestFinished(() => second.close())
  first.exec('CREATE TABLE t (x)')

  // Closing any descriptor of the file would drop this process's locks, and the other one would delete the log.
  await elsewhere(path, "database.exec('INSERT INTO t VALUES (1)')")
  first.exec('INSERT INTO t VALUES (2)')
  const count = "process.stdout.write(String(database.prepare('SELECT count(*) FROM t').values([])[0][0]))"
  expect(await elsewhere(path, count)).toBe('2')
})

/** Runs `code` on the database in another process, which closes it and ends. */
async function elsewhere(path: string, code: string): Promise<string> {
  const program = `
    import(${JSON.stringify(adapter)}).then(async ({ openDatabase }) => {
      const database = await openDatabase(${JSON.stringify(path)})
      ${code}
      database.close()
    })`
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program])
  return stdout
}
