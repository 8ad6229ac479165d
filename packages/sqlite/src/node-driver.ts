import type { Driver, DriverStatement } from './driver.ts'
import type { RunResult, SqlParameter, SqlValue } from './statement.ts'

/** The few methods of `node:sqlite` that we call; the types of Node 20 do not know the module. */
interface NodeSqlite {
  readonly DatabaseSync: new (path: string, options: { readonly timeout: number }) => NodeDatabase
}
interface NodeDatabase {
  exec(sql: string): void
  prepare(sql: string): NodeStatement
  close(): void
}
interface NodeStatement {
  columns(): readonly { readonly name: string }[]
  setReturnArrays(enabled: boolean): void
  run(...params: readonly SqlParameter[]): RunResult
  all(...params: readonly SqlParameter[]): unknown[]
}

/** `undefined` where Node has no `node:sqlite`, or one too old to have what we call (before 22.16 and 24.0). */
export function nodeDriver(): Driver | undefined {
  const module = process.getBuiltinModule?.('node:sqlite') as NodeSqlite | undefined
  if (module === undefined) return undefined
  const probe = new module.DatabaseSync(':memory:', { timeout: 0 })
  const usable = typeof probe.prepare('SELECT 1').setReturnArrays === 'function'
  probe.close()
  if (!usable) return undefined
  return {
    name: 'node:sqlite',
    open(path, busyTimeoutMs) {
      const database = new module.DatabaseSync(path, { timeout: busyTimeoutMs })
      return {
        exec: (sql) => database.exec(sql),
        prepare: (sql) => new NodeDriverStatement(database.prepare(sql)),
        close: () => database.close(),
      }
    },
  }
}

class NodeDriverStatement implements DriverStatement {
  readonly columns: readonly string[]
  readonly #statement: NodeStatement

  constructor(statement: NodeStatement) {
    this.#statement = statement
    this.columns = statement.columns().map((column) => column.name)
    statement.setReturnArrays(true)
  }

  run(params: readonly SqlParameter[]): RunResult {
    return this.#statement.run(...params)
  }

  values(params: readonly SqlParameter[]): SqlValue[][] {
    return this.#statement.all(...params) as SqlValue[][]
  }
}
