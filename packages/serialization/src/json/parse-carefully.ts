import { DecodeError } from '../errors.ts'
import { setOwn } from '../set-own.ts'
import { JSON_TYPE, type JsonTypes } from './json-options.ts'
import { revive } from './revive.ts'

/** Python refuses to read longer integers too (`sys.set_int_max_str_digits`): their cost grows faster than they do. */
const MAX_INTEGER_DIGITS = 4300

/** A list that grew has room for as many more. */
const FIRST_ROOM = 17

/** The whole of Python's JSON dialect, one character after the other. `parseJson` comes here only when it must. */
export function parseCarefully(text: string, maxDepth: number, types: JsonTypes | undefined): unknown {
  return new CarefulParser(text, maxDepth, types).parse()
}

// Character codes; comparing numbers is several times faster here than comparing characters.
const END = -1
const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

class CarefulParser {
  readonly #text: string
  readonly #maxDepth: number
  readonly #types: JsonTypes | undefined
  #at = 0
  #depth = 0

  constructor(text: string, maxDepth: number, types: JsonTypes | undefined) {
    this.#text = text
    this.#maxDepth = maxDepth
    this.#types = types
  }

  parse(): unknown {
    const value = this.#value()
    if (this.#peek() !== END) throw this.#error('unexpected text after the value')
    return value
  }

  #value(): unknown {
    switch (this.#peek()) {
      case OPEN_OBJECT:
        return this.#object()
      case OPEN_ARRAY:
        return this.#array()
      case QUOTE:
        return this.#string()
      case 0x74 /* t */:
        return this.#word('true', true)
      case 0x66 /* f */:
        return this.#word('false', false)
      case 0x6e /* n */:
        return this.#word('null', null)
      case 0x4e /* N */:
        return this.#word('NaN', Number.NaN)
      case 0x49 /* I */:
        return this.#word('Infinity', Number.POSITIVE_INFINITY)
      case MINUS:
        if (this.#text[this.#at + 1] === 'I') return this.#word('-Infinity', Number.NEGATIVE_INFINITY)
        return this.#numeral()
      case END:
        throw this.#error('unexpected end')
      default:
        return this.#numeral()
    }
  }

  #object(): unknown {
    this.#enter()
    const object: Record<string, unknown> = {}
    if (this.#peek() === CLOSE_OBJECT) {
      this.#leave()
      return object
    }
    for (;;) {
      if (this.#peek() !== QUOTE) throw this.#error('expected a key in double quotes')
      const key = this.#string()
      if (this.#peek() !== COLON) throw this.#error('expected ":"')
      this.#at++
      setOwn(object, key, this.#value())
      const next = this.#peek()
      if (next === CLOSE_OBJECT) {
        this.#leave()
        return this.#types === undefined ? object : revive(object, this.#types, this.#at)
      }
      if (next !== COMMA) throw this.#error('expected "," or "}"')
      this.#at++
    }
  }

  #array(): unknown[] {
    this.#enter()
    const array: unknown[] = []
    if (this.#peek() === CLOSE_ARRAY) {
      this.#leave()
      return array
    }
    for (;;) {
      array.push(this.#value())
      const next = this.#peek()
      if (next === CLOSE_ARRAY) {
        this.#leave()
        return array.length < FIRST_ROOM ? array.slice() : array
      }
      if (next !== COMMA) throw this.#error('expected "," or "]"')
      this.#at++
    }
  }

  #enter(): void {
    if (++this.#depth > this.#maxDepth) throw this.#error(`nested deeper than ${this.#maxDepth}`)
    this.#at++
  }

  #leave(): void {
    this.#depth--
    this.#at++
  }

  #string(): string {
    const text = this.#text
    const start = this.#at
    let escaped = false
    for (let at = start + 1; at < text.length; at++) {
      const char = text.charCodeAt(at)
      if (char === QUOTE) {
        this.#at = at + 1
        return escaped ? this.#unescape(start, at + 1) : text.slice(start + 1, at)
      }
      if (char === BACKSLASH) {
        escaped = true
        at++
      } else if (char < 0x20) {
        this.#at = at
        throw this.#error('control character in a string')
      }
    }
    throw this.#error('string without end')
  }

  #unescape(start: number, end: number): string {
    try {
      return JSON.parse(this.#text.slice(start, end)) as string
    } catch (cause) {
      throw new DecodeError(JSON_TYPE, 'bad escape in the string', start, { cause })
    }
  }

  #numeral(): number | bigint {
    const start = this.#at
    if (this.#code() === MINUS) this.#at++
    // A zero in front stands alone.
    if (this.#code() === ZERO) this.#at++
    else this.#digits()
    let isInteger = true
    if (this.#code() === POINT) {
      isInteger = false
      this.#at++
      this.#digits()
    }
    if ((this.#code() | 0x20) === 0x65 /* e or E */) {
      isInteger = false
      this.#at++
      const sign = this.#code()
      if (sign === MINUS || sign === 0x2b /* + */) this.#at++
      this.#digits()
    }
    const numeral = this.#text.slice(start, this.#at)
    const value = Number(numeral)
    if (!isInteger || Number.isSafeInteger(value)) return value
    if (numeral.length > MAX_INTEGER_DIGITS) {
      throw new DecodeError(JSON_TYPE, `integer of more than ${MAX_INTEGER_DIGITS} digits`, start)
    }
    return BigInt(numeral)
  }

  /** One or more. */
  #digits(): void {
    if (!isDigit(this.#code())) throw this.#error('unexpected character')
    do this.#at++
    while (isDigit(this.#code()))
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#error('unexpected character')
    this.#at += word.length
    return value
  }

  /** The next character that is not white space, or `END`. */
  #peek(): number {
    const text = this.#text
    for (; this.#at < text.length; this.#at++) {
      const char = text.charCodeAt(this.#at)
      if (char !== 0x20 && char !== 0x0a && char !== 0x09 && char !== 0x0d) return char
    }
    return END
  }

  #code(): number {
    return this.#at < this.#text.length ? this.#text.charCodeAt(this.#at) : END
  }

  #error(reason: string): DecodeError {
    return new DecodeError(JSON_TYPE, reason, this.#at)
  }
}

function isDigit(char: number): boolean {
  return char >= ZERO && char <= NINE
}
