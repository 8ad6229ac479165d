import type { SqlParameter } from './statement.ts'

/**
 * Counts the `?` of one statement. libsql accepts a wrong number of parameters without a word, so we count ourselves,
 * once per prepared statement.
 * @throws TypeError on named or numbered parameters, which the drivers treat differently, and on a second statement.
 */
export function countPlaceholders(sql: string): number {
  const text = sql.replace(quotedOrComment, ' ')
  if (/;\s*\S/.test(text)) throw new TypeError(`prepare one statement at a time: ${sql}`)
  if (/\?\d|[:@$][A-Za-z_]/.test(text)) throw new TypeError(`only plain ? parameters are supported: ${sql}`)
  return text.split('?').length - 1
}

const quotedOrComment = /'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\//g

/**
 * Refuses what the drivers would bind wrongly or die of, and turns booleans into 0 and 1. Returns `params` itself where
 * nothing had to change, which is nearly always.
 * @throws TypeError naming the parameter.
 */
export function checkParameters(
  params: readonly SqlParameter[],
  expected: number,
  sql: string,
): readonly SqlParameter[] {
  if (!Array.isArray(params)) throw new TypeError(`parameters must come in an array: ${sql}`)
  if (params.length !== expected) {
    throw new TypeError(`${expected} parameters expected, ${params.length} given: ${sql}`)
  }
  let booleans = false
  for (let index = 0; index < expected; index++) {
    const value = params[index] as SqlParameter
    switch (typeof value) {
      case 'number':
        // SQLite would store NULL.
        if (Number.isNaN(value)) throw refused(index, 'NaN', sql)
        break
      case 'string':
        // Both drivers hand text over as C strings and would cut it there.
        if (value.includes('\0')) throw refused(index, 'text with a NUL character', sql)
        // It would come back as another text.
        if (!value.isWellFormed()) throw refused(index, 'text with half a surrogate pair', sql)
        break
      case 'bigint':
        break
      case 'boolean':
        booleans = true
        break
      default:
        if (value !== null && !(value instanceof Uint8Array)) throw refused(index, describe(value), sql)
    }
  }
  return booleans ? params.map((value) => (typeof value === 'boolean' ? Number(value) : value)) : params
}

function refused(index: number, what: string, sql: string): TypeError {
  return new TypeError(`parameter ${index + 1} is ${what}, which SQLite cannot store: ${sql}`)
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return typeof value
  return `a ${value.constructor?.name ?? 'object'}`
}
