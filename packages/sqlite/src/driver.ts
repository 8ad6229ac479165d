/**
 * What we need of an SQLite library, in its least common shape: `node:sqlite` and libsql are each brought to this by a
 * file of their own, and everything else is the same for both.
 */
import type { RunResult, SqlParameter, SqlValue } from './statement.ts'

export interface Driver {
  /** For messages: `node:sqlite` or `libsql`. */
  readonly name: string
  open(path: string, busyTimeoutMs: number): DriverConnection
}

export interface DriverConnection {
  exec(sql: string): void
  prepare(sql: string): DriverStatement
  close(): void
}

export interface DriverStatement {
  readonly columns: readonly string[]
  run(params: readonly SqlParameter[]): RunResult
  /** Rows as arrays, in the order of `columns`. */
  values(params: readonly SqlParameter[]): SqlValue[][]
}
