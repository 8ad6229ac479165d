import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const adapter = createRequire(import.meta.url).resolve('@celery/sqlite')

/**
 * Commits 200 rows of 4 KiB where no file may be larger than 256 KiB, as the disk may be full, then says how many are
 * there. The log holds less than that, the file does not.
 */
const program = `
  import(${JSON.stringify(adapter)}).then(async ({ openDatabase }) => {
    const told = []
    const options = { checkpointBytes: 65536 }
    if (process.argv[2] === 'told') options.onCheckpointError = (error) => told.push(error)
    const database = await openDatabase(process.argv[1], options)
    database.exec('CREATE TABLE t (x)')
    const insert = database.prepare("INSERT INTO t VALUES (hex(randomblob(2048)))")
    let committed = 0
    let failure
    try {
      for (; committed < 200; committed++) database.transaction(() => insert.run([]))
    } catch (error) {
      failure = error
    }
    const [[rows]] = database.prepare('SELECT count(*) FROM t').values([])
    const codes = told.map(({ code, reason }) => [code, reason])
    process.stdout.write(JSON.stringify({ committed, rows, codes, failure: failure?.code }))
  })`

async function onSmallDisk(...args: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'celery-checkpoint-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  // In blocks of 512 bytes where the shell keeps to POSIX, as Bash has to be told to.
  const limited = '(set -o posix) 2>/dev/null && set -o posix; ulimit -f 512; exec "$@"'
  const command = ['-c', limited, 'sh', process.execPath, '-e', program, join(folder, 'small.db'), ...args]
  const { stderr, stdout } = await promisify(execFile)('sh', command)
  const answer = JSON.parse(stdout) as {
    readonly committed: number
    readonly rows: number
    readonly codes: readonly (readonly [string, string])[]
    readonly failure: string | undefined
  }
  return { stderr, ...answer }
}

test('F-13 a log that cannot be emptied is told of once, and fails no transaction that it has room for', async () => {
  const { codes, committed, failure, rows } = await onSmallDisk('told')
  expect(codes).toHaveLength(1)
  expect(codes[0]?.[0]).toBe('ERR_CELERY_DATABASE_UNAVAILABLE')
  // Until there is room nowhere; and what was committed is there.
  expect(failure).toBe('ERR_CELERY_DATABASE_UNAVAILABLE')
  expect(rows).toBe(committed)
  expect(committed).toBeGreaterThan(60)
})

test('F-13 where nobody wants to know, the process warns', async () => {
  const { stderr } = await onSmallDisk()
  expect(stderr.match(/DatabaseUnavailableError: .*small\.db/g)).toHaveLength(1)
})
