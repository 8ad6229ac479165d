import type { Database, SqlParameter } from '@celery/sqlite'

export interface NewMessage {
  /** The queue's id. */
  readonly queue: number
  readonly rank: number
  /** When it is to be ready, if that is not now. */
  readonly untilMs: number | undefined
  readonly dropAtMs: number | null
  readonly tag: string
  readonly payload: string
}

/** The ids that new rows were given: so many, from the first on, and higher than all others. */
export interface Inserted {
  readonly firstId: number
  readonly count: number
}

/**
 * Inserts rows into `message` in their order, leaving out those whose queue and tag are there already. Several rows go
 * into one statement, because calling a statement costs more than inserting a row.
 */
export function insertIgnoringKnown(database: Database): (messages: readonly NewMessage[]) => Inserted {
  const statements = portions.map((size) => ({ size, statement: database.prepare(insertSql(size)) }))
  return (messages) => {
    let done = 0
    let count = 0
    let lastId = 0
    for (const { size, statement } of statements) {
      for (; messages.length - done >= size; done += size) {
        const params: SqlParameter[] = []
        for (let index = done; index < done + size; index++) {
          const { queue, dropAtMs, tag, payload } = messages[index] as NewMessage
          params.push(queue, dropAtMs, tag, payload)
        }
        const { changes, lastInsertRowid } = statement.run(params)
        count += changes
        if (changes > 0) lastId = Number(lastInsertRowid)
      }
    }
    // Each row gets the highest id there is and one more, and nobody else writes meanwhile.
    return { firstId: lastId - count + 1, count }
  }
}

/** Largest first; the last is 1, so that every number of rows can be made of them. */
const portions = [16, 4, 1]

function insertSql(rows: number): string {
  const values = Array.from({ length: rows }, () => '(?, ?, ?, ?)').join(', ')
  return `INSERT OR IGNORE INTO message (queue, drop_at_ms, tag, payload) VALUES ${values}`
}
