import { EncodeError } from './errors.ts'
import { showPath } from './show-path.ts'
import { DateTime } from './values/date-time.ts'
import { isTypedValue } from './values/is-typed-value.ts'

/**
 * Walks over a value and says what it is made of, for the formats that have more words than JSON. What an instance of a
 * class means is the same as in JSON: `toJSON` where there is one, else its fields.
 */
export abstract class TreeWriter {
  readonly #contentType: string
  readonly #maxDepth: number
  /** Keys and indices from the root to the value at hand. */
  readonly #path: (string | number)[] = []

  constructor(contentType: string, maxDepth: number) {
    this.#contentType = contentType
    this.#maxDepth = maxDepth
  }

  protected abstract writeNull(): void
  protected abstract writeBoolean(value: boolean): void
  /** A safe integer, or a `bigint` beyond. */
  protected abstract writeInteger(value: number | bigint): void
  protected abstract writeFloat(value: number): void
  protected abstract writeText(value: string): void
  protected abstract writeBytes(value: Uint8Array): void
  /** Calls `this.item(value, index)` for each. */
  protected abstract writeArray(items: readonly unknown[]): void
  /** Calls `this.item(key, …)` and `this.item(value, …)` for each. */
  protected abstract writeMap(entries: readonly (readonly [key: unknown, value: unknown])[]): void
  /** Dates, sets and the value classes; false for what the format has no word for. */
  protected abstract writeSpecial(value: object): boolean

  protected write(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.writeText(value)
        break
      case 'number':
        // Only a float can be minus zero, and what is beyond 2^53 would not survive as an integer.
        if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.writeInteger(value)
        else this.writeFloat(value)
        break
      case 'bigint':
        this.writeInteger(Number.isSafeInteger(Number(value)) ? Number(value) : value)
        break
      case 'boolean':
        this.writeBoolean(value)
        break
      case 'undefined':
        this.writeNull()
        break
      case 'object':
        if (value === null) this.writeNull()
        else this.#object(value)
        break
      default:
        throw this.error(`a ${typeof value} is not data`)
    }
  }

  /** One step down. */
  protected item(value: unknown, step: string | number): void {
    this.#path.push(step)
    this.write(value)
    this.#path.pop()
  }

  protected error(reason: string, options?: ErrorOptions): EncodeError {
    return new EncodeError(this.#contentType, reason, showPath(this.#path), options)
  }

  #object(value: object): void {
    if (this.#path.length >= this.#maxDepth) throw this.error(`nested deeper than ${this.#maxDepth}, or in itself`)
    if (Array.isArray(value)) this.writeArray(value)
    else if (value instanceof Uint8Array) this.writeBytes(value)
    else if (value instanceof Map) this.writeMap([...value])
    else if (isPlainObject(value) || !this.#isSpecial(value)) this.#fields(value)
  }

  #fields(value: object): void {
    // Text in place of a type that the format does not have would lose it without a word.
    const isTyped = isTypedValue(value)
    if (!isTyped && 'toJSON' in value && typeof value.toJSON === 'function') {
      const key = this.#path.at(-1)
      this.item(value.toJSON(key === undefined ? '' : String(key)), '(converted)')
      return
    }
    const tag = Object.prototype.toString.call(value)
    if (isTyped || tag !== '[object Object]') {
      const kind = isTyped ? value.constructor.name : tag.slice(8, -1)
      throw this.error(`a ${kind} has no form in ${this.#contentType}; convert it first`)
    }
    this.writeMap(Object.entries(value).filter(([, field]) => field !== undefined))
  }

  #isSpecial(value: object): boolean {
    // Made exact first, so that an invalid date is refused here whatever the format.
    let exact = value
    if (value instanceof Date) {
      try {
        exact = DateTime.from(value)
      } catch (cause) {
        throw this.error(cause instanceof Error ? cause.message : 'the date is invalid', { cause })
      }
    }
    return this.writeSpecial(exact)
  }
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
