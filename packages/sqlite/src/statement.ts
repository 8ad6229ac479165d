/** What SQLite stores. Keep integers within ±2^53: beyond that `node:sqlite` throws and libsql rounds. */
export type SqlValue = null | number | bigint | string | Uint8Array
/** What can be bound: booleans become 0 and 1. Text must not hold a NUL character. */
export type SqlParameter = SqlValue | boolean
export type SqlRow = Readonly<Record<string, SqlValue>>

export interface RunResult {
  readonly changes: number
  readonly lastInsertRowid: number | bigint
}

export interface Statement {
  run(params: readonly SqlParameter[]): RunResult
  all(params: readonly SqlParameter[]): SqlRow[]
  /** The first row. The statement runs to its end all the same, so say `LIMIT 1`. */
  get(params: readonly SqlParameter[]): SqlRow | undefined
  /** Rows as arrays in the order of the columns; the fastest way to read many. */
  values(params: readonly SqlParameter[]): SqlValue[][]
}
