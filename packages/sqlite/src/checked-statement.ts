import type { DriverStatement } from './driver.ts'
import { translateError } from './errors.ts'
import { checkParameters } from './parameters.ts'
import type { RunResult, SqlParameter, SqlRow, SqlValue, Statement } from './statement.ts'

/** A driver's statement that lets through only what the driver handles well, and speaks in our errors. */
export class CheckedStatement implements Statement {
  readonly #path: string
  readonly #sql: string
  readonly #parameterCount: number
  readonly #statement: DriverStatement

  constructor(path: string, sql: string, parameterCount: number, statement: DriverStatement) {
    this.#path = path
    this.#sql = sql
    this.#parameterCount = parameterCount
    this.#statement = statement
  }

  run(params: readonly SqlParameter[]): RunResult {
    const checked = checkParameters(params, this.#parameterCount, this.#sql)
    try {
      return this.#statement.run(checked)
    } catch (error) {
      throw translateError(this.#path, error)
    }
  }

  values(params: readonly SqlParameter[]): SqlValue[][] {
    const checked = checkParameters(params, this.#parameterCount, this.#sql)
    try {
      return this.#statement.values(checked)
    } catch (error) {
      throw translateError(this.#path, error)
    }
  }

  all(params: readonly SqlParameter[]): SqlRow[] {
    return this.values(params).map((row) => this.#toRow(row))
  }

  get(params: readonly SqlParameter[]): SqlRow | undefined {
    const row = this.values(params)[0]
    return row === undefined ? undefined : this.#toRow(row)
  }

  #toRow(values: readonly SqlValue[]): SqlRow {
    const row: Record<string, SqlValue> = {}
    const columns = this.#statement.columns
    for (let index = 0; index < columns.length; index++) row[columns[index] as string] = values[index] as SqlValue
    return row
  }
}
