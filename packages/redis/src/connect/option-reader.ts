import { quote } from '@celery/promises'
import { InvalidRedisAddressError } from '../errors.ts'

/**
 * Reads settings that come as `unknown`: those of the URL's query first, which are text, then the options. Names are
 * Celery's, `socket_timeout`; `socketTimeout` means the same.
 */
export class OptionReader {
  readonly #address: string
  readonly #sources: readonly Readonly<Record<string, unknown>>[]

  /** @param address - With the password masked, for errors. */
  constructor(address: string, sources: readonly Readonly<Record<string, unknown>>[]) {
    this.#address = address
    this.#sources = sources
  }

  text(name: string): string | undefined {
    const value = this.value(name)
    if (value === undefined || typeof value === 'string') return value
    throw this.invalid(name, 'is not text')
  }

  /** A number, or text that is one. */
  number(name: string): number | undefined {
    const value = this.value(name)
    if (value === undefined) return undefined
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
    if (typeof number === 'number' && Number.isFinite(number) && number >= 0) return number
    throw this.invalid(name, 'is not a number of at least 0')
  }

  /** Seconds, as milliseconds; 0 for none. */
  milliseconds(name: string, defaultMs: number): number {
    const seconds = this.number(name)
    return seconds === undefined ? defaultMs : Math.round(seconds * 1000)
  }

  /** As redis-py reads text: `0`, `f`, `false`, `n` and `no` are false. */
  boolean(name: string): boolean | undefined {
    const value = this.value(name)
    if (value === undefined || typeof value === 'boolean') return value
    if (value === 0 || value === 1) return value === 1
    const text = typeof value === 'string' ? value.toLowerCase() : ''
    if (['1', 't', 'true', 'y', 'yes', 'on'].includes(text)) return true
    if (['0', 'f', 'false', 'n', 'no', 'off'].includes(text)) return false
    throw this.invalid(name, 'is neither true nor false')
  }

  record(name: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.value(name)
    if (value === undefined) return undefined
    if (isRecord(value)) return value
    throw this.invalid(name, 'is not an object')
  }

  /** The first that is neither absent nor null. */
  value(name: string): unknown {
    const camelCase = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    for (const source of this.#sources) {
      const value = source[name] ?? source[camelCase]
      if (value !== undefined && value !== null) return value
    }
    return undefined
  }

  /** Says nothing of the value: it may be a password. */
  invalid(name: string, problem: string): InvalidRedisAddressError {
    return new InvalidRedisAddressError(this.#address, `${quote(name)} ${problem}`, { option: name })
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
