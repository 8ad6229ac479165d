export interface ReprOptions {
  /** Characters after which the rest is left out; closing brackets and `...` come on top. @defaultValue `1024` */
  readonly maxLength?: number
  /** Levels shown inside the value itself; what is deeper becomes `...`. @defaultValue `3` */
  readonly maxDepth?: number
}

/**
 * A value as Python would print it, short and on one line, for headers, events and logs. Never throws. Control
 * characters are escaped, as Python's own `repr` does (Celery's leaves them in), so that no value breaks a log.
 */
export function pythonRepr(value: unknown, options?: ReprOptions): string {
  try {
    const writer = new ReprWriter(options)
    writer.value(value, 0)
    return writer.text
  } catch {
    // a getter or proxy of the caller's that throws
    return '<unprintable>'
  }
}

/** For the header `argsrepr`: `(2, 3)`, `(1,)`, `()`. */
export function argsRepr(args: readonly unknown[], options?: ReprOptions): string {
  if (args.length === 0) return '()'
  try {
    const writer = new ReprWriter(options)
    writer.items(args, '(', args.length === 1 ? ',)' : ')', 0)
    return writer.text
  } catch {
    return '<unprintable>'
  }
}

/** For the header `kwargsrepr`: `{'x': 1}`. */
export function kwargsRepr(kwargs: Readonly<Record<string, unknown>>, options?: ReprOptions): string {
  for (const _ in kwargs) return pythonRepr(kwargs, options)
  return '{}'
}

class ReprWriter {
  readonly #maxLength: number
  readonly #maxDepth: number
  text = ''

  constructor(options: ReprOptions | undefined) {
    this.#maxLength = options?.maxLength ?? 1024
    this.#maxDepth = options?.maxDepth ?? 3
  }

  value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        this.#string(value)
        break
      case 'number':
        this.text += reprNumber(value)
        break
      case 'bigint':
        this.#cut(value.toString())
        break
      case 'boolean':
        this.text += value ? 'True' : 'False'
        break
      case 'undefined':
        this.text += 'None'
        break
      case 'object':
        if (value === null) this.text += 'None'
        else this.#object(value, depth)
        break
      default:
        this.text += `<${typeof value}>`
    }
  }

  items(items: readonly unknown[], open: string, close: string, depth: number): void {
    this.text += open
    if (items.length > 0 && depth >= this.#maxDepth) {
      this.text += '...'
    } else {
      for (let index = 0; index < items.length; index++) {
        if (index > 0) this.text += ', '
        if (this.#isFull()) {
          this.text += '...'
          break
        }
        this.value(items[index], depth + 1)
      }
    }
    this.text += close
  }

  #object(value: object, depth: number): void {
    if (Array.isArray(value)) this.items(value, '[', ']', depth)
    else if (value instanceof Date)
      this.text += `<Date ${Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString()}>`
    else if (ArrayBuffer.isView(value)) this.text += `<${value.byteLength} bytes>`
    else if (value instanceof Map) this.#entries(value, depth)
    else if (value instanceof Set) this.items([...value], '{', '}', depth)
    else if (value instanceof Error)
      this.items([value.message], `${escaped(String(value.name).slice(0, 100))}(`, ')', depth)
    else this.#entries(Object.entries(value), depth)
  }

  #entries(entries: Iterable<readonly [unknown, unknown]>, depth: number): void {
    this.text += '{'
    let first = true
    for (const [key, value] of entries) {
      if (!first) this.text += ', '
      first = false
      if (depth >= this.#maxDepth || this.#isFull()) {
        this.text += '...'
        break
      }
      this.value(key, depth + 1)
      this.text += ': '
      this.value(value, depth + 1)
    }
    this.text += '}'
  }

  #string(value: string): void {
    this.text += "'"
    this.#cut(value)
    this.text += "'"
  }

  #cut(value: string): void {
    const room = Math.max(this.#maxLength - this.text.length, 0)
    this.text += value.length > room ? `${escaped(value.slice(0, room))}...` : escaped(value)
  }

  #isFull(): boolean {
    return this.text.length >= this.#maxLength
  }
}

function reprNumber(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
}

const NOTHING_TO_ESCAPE = /^[\x20-\x26\x28-\x5b\x5d-\x7e]*$/
const SPECIAL = /['\\\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["'", "\\'"],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

function escaped(text: string): string {
  if (NOTHING_TO_ESCAPE.test(text)) return text
  return text.replace(SPECIAL, (char) => {
    const short = SHORT_ESCAPES.get(char)
    if (short !== undefined) return short
    const code = char.codePointAt(0) ?? 0
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`
    if (code < 0x10000) return `\\u${code.toString(16).padStart(4, '0')}`
    return `\\U${code.toString(16).padStart(8, '0')}`
  })
}
