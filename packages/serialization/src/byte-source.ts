import { DecodeError } from './errors.ts'
import { asBuffer } from './text.ts'

/** Bytes that are being read. Nothing is read, and no memory set aside, beyond their end. */
export class ByteSource {
  readonly #buffer: Buffer
  readonly #contentType: string
  #at = 0

  /** @param contentType for errors */
  constructor(bytes: Uint8Array, contentType: string) {
    this.#buffer = asBuffer(bytes)
    this.#contentType = contentType
  }

  get position(): number {
    return this.#at
  }

  get left(): number {
    return this.#buffer.length - this.#at
  }

  byte(): number {
    return this.#buffer.readUInt8(this.#skip(1))
  }

  int8(): number {
    return this.#buffer.readInt8(this.#skip(1))
  }

  uint16(): number {
    return this.#buffer.readUInt16BE(this.#skip(2))
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#skip(2))
  }

  uint32(): number {
    return this.#buffer.readUInt32BE(this.#skip(4))
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#skip(4))
  }

  uint64(): bigint {
    return this.#buffer.readBigUInt64BE(this.#skip(8))
  }

  int64(): bigint {
    return this.#buffer.readBigInt64BE(this.#skip(8))
  }

  uint16LE(): number {
    return this.#buffer.readUInt16LE(this.#skip(2))
  }

  uint32LE(): number {
    return this.#buffer.readUInt32LE(this.#skip(4))
  }

  int32LE(): number {
    return this.#buffer.readInt32LE(this.#skip(4))
  }

  /** A length of 64 bits; what does not fit a number is beyond the end anyway. */
  length64LE(): number {
    return Number(this.#buffer.readBigUInt64LE(this.#skip(8)))
  }

  float(): number {
    return this.#buffer.readFloatBE(this.#skip(4))
  }

  double(): number {
    return this.#buffer.readDoubleBE(this.#skip(8))
  }

  /** A view. */
  view(length: number): Buffer {
    const start = this.#skip(length)
    return this.#buffer.subarray(start, start + length)
  }

  /** A copy: what a program gets must not change with the memory it came from. */
  bytes(length: number): Uint8Array {
    return new Uint8Array(this.view(length))
  }

  /** Up to the next line feed, without it. */
  line(): Buffer {
    const end = this.#buffer.indexOf(0x0a, this.#at)
    if (end === -1) throw this.error('unexpected end')
    const line = this.view(end - this.#at)
    this.#at = end + 1
    return line
  }

  error(reason: string, options?: ErrorOptions): DecodeError {
    return new DecodeError(this.#contentType, reason, this.#at, options)
  }

  #skip(length: number): number {
    const start = this.#at
    if (length > this.#buffer.length - start) throw this.error('unexpected end')
    this.#at = start + length
    return start
  }
}
