import { asBuffer } from '../text.ts'
import { TreeWriter } from '../tree-writer.ts'
import { DateTime } from '../values/date-time.ts'
import { PlainDate } from '../values/plain-date.ts'

/** PyYAML takes no longer ones without a mark. */
const MAX_SIMPLE_KEY = 1000

/**
 * One line of YAML in flow style with all text quoted and escaped: any reader of YAML 1.1 and 1.2 takes it for what it
 * is, whatever the text looks like. @throws EncodeError
 */
export function writeYaml(value: unknown, maxDepth: number): string {
  return new YamlWriter(maxDepth).finish(value)
}

class YamlWriter extends TreeWriter {
  readonly #parts: string[] = []

  constructor(maxDepth: number) {
    super('application/x-yaml', maxDepth)
  }

  finish(value: unknown): string {
    this.write(value)
    this.#parts.push('\n')
    return this.#parts.join('')
  }

  protected writeNull(): void {
    this.#parts.push('null')
  }

  protected writeBoolean(value: boolean): void {
    this.#parts.push(String(value))
  }

  protected writeInteger(value: number | bigint): void {
    this.#parts.push(String(value))
  }

  protected writeFloat(value: number): void {
    this.#parts.push(formatFloat(value))
  }

  protected writeText(value: string): void {
    this.#parts.push(quote(value))
  }

  protected writeBytes(value: Uint8Array): void {
    this.#parts.push(`!!binary "${asBuffer(value).toString('base64')}"`)
  }

  protected writeArray(items: readonly unknown[]): void {
    this.#parts.push('[')
    for (let index = 0; index < items.length; index++) {
      if (index > 0) this.#parts.push(', ')
      this.item(items[index], index)
    }
    this.#parts.push(']')
  }

  protected writeMap(entries: readonly (readonly [unknown, unknown])[]): void {
    this.#parts.push('{')
    entries.forEach(([key, value], index) => {
      if (index > 0) this.#parts.push(', ')
      this.#key(key)
      this.#parts.push(': ')
      this.item(value, typeof key === 'string' ? key : '(value)')
    })
    this.#parts.push('}')
  }

  protected writeSpecial(value: object): boolean {
    if (value instanceof DateTime) {
      if ((value.offsetSeconds ?? 0) % 60 !== 0) throw this.error('YAML has no offsets from UTC with seconds')
      this.#parts.push(`!!timestamp "${value.isoFormat().replace('T', ' ')}"`)
    } else if (value instanceof PlainDate) this.#parts.push(`!!timestamp "${value}"`)
    else if (value instanceof Set) {
      this.#parts.push('!!set ')
      this.writeMap([...value].map((item) => [item, null]))
    } else return false
    return true
  }

  #key(key: unknown): void {
    if (typeof key === 'object' && key !== null && !(key instanceof Date) && !(key instanceof Uint8Array)) {
      if (!(key instanceof PlainDate)) throw this.error('Python takes no list or dict of YAML for a key')
    }
    if (typeof key === 'string' && key.length > MAX_SIMPLE_KEY / 10) {
      // An escaped character takes up to ten.
      this.#parts.push('? ')
    }
    this.item(key, '(key)')
    // Without a space "null:" would be text.
    this.#parts.push(' ')
  }
}

/** PyYAML knows a float by its point, and wants a sign in the exponent. */
function formatFloat(value: number): string {
  if (Number.isNaN(value)) return '.nan'
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf'
  if (Object.is(value, -0)) return '-0.0'
  const text = String(value)
  if (text.includes('.')) return text
  return text.includes('e') ? text.replace('e', '.0e') : `${text}.0`
}

/** In ASCII: PyYAML takes no control characters, and halves of pairs must not become one character. */
function quote(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/gu, (char) => {
    const point = char.codePointAt(0) ?? 0
    return point > 0xffff ? `\\U${hex(point, 8)}` : `\\u${hex(point, 4)}`
  })
}

function hex(value: number, length: number): string {
  return value.toString(16).padStart(length, '0')
}
