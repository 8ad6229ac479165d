/**
 * The peer that does nothing but what a queue in a file cannot do without: a loop over a table that fetches 20 rows and
 * deletes them in a transaction, with the same SQLite library and the same settings. No leases, no redelivery, no
 * priorities, no messages decoded, no tasks run, and nobody else at the file.
 */
import { openDatabase } from '@celery/sqlite'
import { type Spent, serve, startArgument, stopwatch } from './measured.ts'

export interface RawLoopArgument {
  readonly file: string
  readonly tasks: number
  readonly payloadBytes: number
}

const batch = 20

async function main({ file, tasks, payloadBytes }: RawLoopArgument): Promise<void> {
  const database = await openDatabase(file)
  database.exec('CREATE TABLE envelope (id INTEGER PRIMARY KEY, payload TEXT NOT NULL)')
  // As SQLite has it by default, and not after each transaction of ours, which looks after more than a bare loop would.
  database.exec('PRAGMA wal_autocheckpoint = 1000')
  const insert = database.prepare('INSERT INTO envelope (payload) VALUES (?)')
  const first = database.prepare(`SELECT id, payload FROM envelope ORDER BY id LIMIT ${batch}`)
  const remove = database.prepare('DELETE FROM envelope WHERE id <= ?')
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const payload = 'x'.repeat(payloadBytes)

  function fill(): void {
    begin.run([])
    for (let index = 0; index < tasks; index++) insert.run([payload])
    commit.run([])
  }

  function drain(): Spent {
    const spent = stopwatch()
    for (let left = tasks; left > 0; ) {
      begin.run([])
      const rows = first.values([])
      remove.run([rows[rows.length - 1]?.[0] as number])
      commit.run([])
      left -= rows.length
    }
    return spent()
  }

  serve({
    onCommand() {
      fill()
      return drain()
    },
    async onEnd() {
      database.close()
    },
  })
}

void main(startArgument())
