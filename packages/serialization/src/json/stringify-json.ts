import { depthLimit, type JsonOptions } from './json-options.ts'
import { writeCarefully } from './write-carefully.ts'

/**
 * Writes JSON that Python and we read back as it was: `bigint` as an integer of any size, NaN and the infinities by
 * name, a `number` beyond 2^53 with a point or exponent (so that it stays a float), other characters than ASCII as they
 * are. `undefined` is `null` in an array and left out of an object, as with `JSON.stringify`. JavaScript does not know
 * 1.0 from 1: both are written `1`, an integer to Python; `-0` is written `0`.
 *
 * Plain data is left to `JSON.stringify`; a walk over the value finds out whether it is.
 *
 * @throws EncodeError for functions, symbols, maps, sets, bytes, promises, dates that are none, and what is too deep.
 */
export function stringifyJson(value: unknown, options?: JsonOptions): string {
  const maxDepth = depthLimit(options)
  if (value !== undefined && isPlain(value, maxDepth)) return JSON.stringify(value)
  return writeCarefully(value, maxDepth, options?.types)
}

/** Whether `JSON.stringify` writes `value` just as we want it. */
function isPlain(value: unknown, depthLeft: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true
    case 'number':
      // false for NaN, the infinities and what is beyond 2^53
      return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER
    case 'object':
      return value === null || (depthLeft > 0 && isPlainObject(value, depthLeft - 1))
    default:
      return false
  }
}

function isPlainObject(value: object, depthLeft: number): boolean {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      if (!isPlain(value[index], depthLeft)) return false
    }
    return true
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  for (const key in value) {
    // A method named toJSON is a function, so it is found here as well.
    if (!isPlain((value as Record<string, unknown>)[key], depthLeft)) return false
  }
  return true
}
