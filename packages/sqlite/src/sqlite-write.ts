import type { SqlParameter } from './statement.ts'

/**
 * One statement that its maker hands to somebody else to run in a transaction on the same file. `@celery/backend-sqlite`
 * makes them and `@celery/transport-sqlite` runs them, so that a result is stored if and only if its message is settled.
 */
export class SqliteWrite {
  /** Text of one statement. Keep it constant: whoever runs it caches what it prepared by this text. */
  readonly sql: string
  readonly params: readonly SqlParameter[]

  constructor(sql: string, params: readonly SqlParameter[]) {
    this.sql = sql
    this.params = params
  }
}
