import { EncodeError } from '../errors.ts'
import { showPath } from '../show-path.ts'
import { JSON_TYPE, type JsonTypes } from './json-options.ts'

/** Writes what `JSON.stringify` would refuse, or lose without a word. `stringifyJson` comes here only when it must. */
export function writeCarefully(value: unknown, maxDepth: number, types: JsonTypes | undefined): string {
  return new CarefulWriter(maxDepth, types).write(value) ?? 'null'
}

class CarefulWriter {
  readonly #maxDepth: number
  readonly #types: JsonTypes | undefined
  /** Keys and indices from the root to the value at hand. */
  readonly #path: (string | number)[] = []

  constructor(maxDepth: number, types: JsonTypes | undefined) {
    this.#maxDepth = maxDepth
    this.#types = types
  }

  /** `undefined` for what is left out. */
  write(value: unknown): string | undefined {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value)
      case 'number':
        return writeNumber(value)
      case 'boolean':
      case 'bigint':
        return String(value)
      case 'undefined':
        return undefined
      case 'object':
        return value === null ? 'null' : this.#object(value)
      default:
        throw this.#error(`a ${typeof value} is not data`)
    }
  }

  #object(value: object): string | undefined {
    if (this.#path.length >= this.#maxDepth) throw this.#error(`nested deeper than ${this.#maxDepth}, or in itself`)
    if (Array.isArray(value)) return this.#array(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) {
      const replaced = this.#types && this.#replace(value, this.#types)
      if (replaced !== undefined) return this.#standIn(replaced)
    }
    // Before toJSON: a Buffer has one, which gives an object that no one reads as bytes.
    if (value instanceof Uint8Array) throw this.#error('bytes have no form in JSON without typed values')
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      if (value instanceof Date && Number.isNaN(value.getTime())) throw this.#error('the date is invalid')
      const key = this.#path.at(-1)
      return this.#standIn(value.toJSON(key === undefined ? '' : String(key)))
    }
    const tag = Object.prototype.toString.call(value)
    if (tag !== '[object Object]') throw this.#error(`a ${tag.slice(8, -1)} has no form in JSON; convert it first`)
    return this.#fields(value)
  }

  #replace(value: object, types: JsonTypes): unknown {
    try {
      return types.replace(value)
    } catch (cause) {
      throw new EncodeError(
        JSON_TYPE,
        cause instanceof Error ? cause.message : 'conversion failed',
        showPath(this.#path),
        {
          cause,
        },
      )
    }
  }

  /** One step down, so that a chain of stand-ins ends at the depth limit. */
  #standIn(value: unknown): string | undefined {
    this.#path.push('(converted)')
    const text = this.write(value)
    this.#path.pop()
    return text
  }

  #array(array: readonly unknown[]): string {
    const items: string[] = []
    for (let index = 0; index < array.length; index++) {
      this.#path.push(index)
      items.push(this.write(array[index]) ?? 'null')
      this.#path.pop()
    }
    return `[${items.join(',')}]`
  }

  #fields(object: object): string {
    const fields: string[] = []
    for (const [key, value] of Object.entries(object)) {
      this.#path.push(key)
      const text = this.write(value)
      if (text !== undefined) fields.push(`${JSON.stringify(key)}:${text}`)
      this.#path.pop()
    }
    return `{${fields.join(',')}}`
  }

  #error(reason: string): EncodeError {
    return new EncodeError(JSON_TYPE, reason, showPath(this.#path))
  }
}

function writeNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Number.POSITIVE_INFINITY) return 'Infinity'
  if (value === Number.NEGATIVE_INFINITY) return '-Infinity'
  const text = JSON.stringify(value)
  return Number.isInteger(value) && !Number.isSafeInteger(value) && !text.includes('e') ? `${text}.0` : text
}
