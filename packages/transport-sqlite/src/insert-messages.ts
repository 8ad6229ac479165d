import type { Database, SqlParameter } from '@celery/sqlite'

/** queue, rank, not_before_ms, drop_at_ms, tag, dead_reason, payload */
export type MessageRow = readonly [number, number, number | null, number | null, string, string | null, string]

/** The ids that new rows were given: so many, from the first on, and higher than all others. */
export interface Inserted {
  readonly firstId: number
  readonly count: number
}

/**
 * Inserts rows into `message` in their order, leaving out those whose queue and tag are there already. Several rows go
 * into one statement, because calling a statement costs more than inserting a row.
 */
export function insertIgnoringKnown(database: Database): (rows: readonly MessageRow[]) => Inserted {
  const statements = portions.map((size) => ({ size, statement: database.prepare(insertSql(size)) }))
  return (rows) => {
    let done = 0
    let count = 0
    let lastId = 0
    for (const { size, statement } of statements) {
      for (; rows.length - done >= size; done += size) {
        const params: SqlParameter[] = []
        for (let index = done; index < done + size; index++) params.push(...(rows[index] as MessageRow))
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
  const values = Array.from({ length: rows }, () => '(?, ?, ?, ?, ?, ?, ?)').join(', ')
  return `INSERT OR IGNORE INTO message (queue, rank, not_before_ms, drop_at_ms, tag, dead_reason, payload) VALUES ${values}`
}
