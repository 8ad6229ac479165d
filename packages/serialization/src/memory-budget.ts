import { DecodeError } from './errors.ts'

/** What a value may take beyond what its size allows, where no one says otherwise: what a body may become in bytes. */
const DEFAULT_MAX_MEMORY_BYTES = 64 * 1024 * 1024
/** A word: what one byte of a body becomes where it is a small number in a list. */
const BYTES_PER_BYTE = 8

/**
 * What the values of Node's engine take, in bytes, with their place in what holds them; a little more than measured
 * where it depends. A body of a few bytes can ask for many of these, so decoders count them.
 */
export const MEMORY = {
  /** A place in a list, and with it a small number, a boolean or null. */
  slot: 8,
  /** A number with a fraction or a large one, a text, beside what they hold. */
  leaf: 24,
  array: 56,
  object: 64,
  /** A name and its value: 8 where many objects have the same names, 100 where each has its own. */
  property: 48,
  /** A `Map` or a `Set`: its table has room for four. */
  table: 200,
  entry: 48,
  /** A time, a decimal or the like. */
  typed: 300,
  /** A `Uint8Array`, beside what it holds. */
  bytes: 200,
} as const

export interface MemoryOptions {
  /**
   * Bytes of memory that a value may take beyond eight times its body: the decoder counts what it is about to build, and
   * refuses a body of a few bytes that would fill the heap. @defaultValue 64 MiB
   */
  readonly maxMemoryBytes?: number
}

/** What one body may still make of itself. */
export class MemoryBudget {
  /** Bytes in all. */
  readonly limit: number
  readonly #contentType: string
  #left: number

  /** @param sizeBytes - Of the body; text counts as one byte for each character. */
  constructor(contentType: string, sizeBytes: number, options: MemoryOptions | undefined) {
    this.limit = maxMemoryOf(options) + BYTES_PER_BYTE * sizeBytes
    this.#contentType = contentType
    this.#left = this.limit
  }

  /** To be called before the memory is used. @throws DecodeError where there is not as much. */
  take(bytes: number): void {
    this.#left -= bytes
    if (this.#left < 0) {
      throw new DecodeError(this.#contentType, `its values would take more than ${this.limit} bytes of memory`)
    }
  }
}

/** Beyond eight times the body. */
export function maxMemoryOf(options: MemoryOptions | undefined): number {
  return options?.maxMemoryBytes ?? DEFAULT_MAX_MEMORY_BYTES
}
