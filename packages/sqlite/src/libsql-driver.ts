import type { Driver, DriverStatement } from './driver.ts'
import type { RunResult, SqlParameter, SqlValue } from './statement.ts'

/** The few methods of libsql that we call. */
interface LibsqlModule {
  readonly default: new (path: string, options: { readonly timeout: number }) => LibsqlDatabase
}
interface LibsqlDatabase {
  exec(sql: string): void
  prepare(sql: string): LibsqlStatement
  close(): void
}
interface LibsqlStatement {
  readonly reader: boolean
  columns(): readonly { readonly name: string }[]
  raw(enabled: boolean): LibsqlStatement
  run(params: readonly SqlParameter[]): RunResult
  all(params: readonly SqlParameter[]): unknown[]
}

/** Loads the native library, about 20 ms; hence only when a database is opened. */
export async function libsqlDriver(): Promise<Driver> {
  const { default: Database } = (await import('libsql')) as unknown as LibsqlModule
  return {
    name: 'libsql',
    open(path, busyTimeoutMs) {
      const database = new Database(path, { timeout: busyTimeoutMs })
      return {
        exec: (sql) => database.exec(sql),
        prepare: (sql) => new LibsqlDriverStatement(database.prepare(sql)),
        close: () => database.close(),
      }
    },
  }
}

class LibsqlDriverStatement implements DriverStatement {
  readonly columns: readonly string[]
  readonly #statement: LibsqlStatement

  constructor(statement: LibsqlStatement) {
    this.#statement = statement
    // Raw rows are faster, hold blobs as Buffer where object rows hold an ArrayBuffer, and lack the `_metadata` key.
    const reader = statement.reader
    this.columns = reader ? statement.columns().map((column) => column.name) : []
    if (reader) statement.raw(true)
  }

  run(params: readonly SqlParameter[]): RunResult {
    return this.#statement.run(params)
  }

  values(params: readonly SqlParameter[]): SqlValue[][] {
    return this.#statement.all(params) as SqlValue[][]
  }
}
