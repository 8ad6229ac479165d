import { ByteSink } from '../byte-sink.ts'
import { TreeWriter } from '../tree-writer.ts'

const INT64_MIN = -(2n ** 63n)
const UINT64_MAX = 2n ** 64n - 1n

/** @throws EncodeError for dates and sets, integers beyond 64 bits, text that is no Unicode, and what is too deep. */
export function writeMsgpack(value: unknown, maxDepth: number): Uint8Array {
  return new MsgpackWriter(maxDepth).finish(value)
}

class MsgpackWriter extends TreeWriter {
  readonly #sink = new ByteSink()

  constructor(maxDepth: number) {
    super('application/x-msgpack', maxDepth)
  }

  finish(value: unknown): Uint8Array {
    this.write(value)
    return this.#sink.finish()
  }

  protected writeNull(): void {
    this.#sink.byte(0xc0)
  }

  protected writeBoolean(value: boolean): void {
    this.#sink.byte(value ? 0xc3 : 0xc2)
  }

  /** In the shortest form, as everyone does. */
  protected writeInteger(value: number | bigint): void {
    const sink = this.#sink
    if (typeof value === 'number' && value >= -0x8000_0000 && value <= 0xffff_ffff) {
      if (value >= 0) {
        if (value < 0x80) sink.byte(value)
        else if (value < 0x100) sink.uint16(0xcc00 | value)
        else if (value < 0x1_0000) sink.tagged16(0xcd, value)
        else sink.tagged32(0xce, value)
      } else if (value >= -0x20) sink.byte(value & 0xff)
      else if (value >= -0x80) sink.uint16(0xd000 | (value & 0xff))
      else if (value >= -0x8000) sink.tagged16(0xd1, value & 0xffff)
      else sink.tagged32(0xd2, value >>> 0)
      return
    }
    const integer = BigInt(value)
    if (integer < INT64_MIN || integer > UINT64_MAX) throw this.error('MessagePack has no integers beyond 64 bits')
    sink.byte(integer < 0n ? 0xd3 : 0xcf)
    sink.int64(integer)
  }

  protected writeFloat(value: number): void {
    this.#sink.byte(0xcb)
    this.#sink.double(value)
  }

  protected writeText(value: string): void {
    if (HAS_SURROGATE.test(value)) throw this.error('half of a surrogate pair has no form in UTF-8')
    const length = Buffer.byteLength(value)
    if (length < 0x20) this.#sink.byte(0xa0 | length)
    else if (length < 0x100) this.#sink.uint16(0xd900 | length)
    else this.#length(length, 0xda, 0xdb)
    this.#sink.text(value)
  }

  protected writeBytes(value: Uint8Array): void {
    const length = value.byteLength
    if (length < 0x100) this.#sink.uint16(0xc400 | length)
    else this.#length(length, 0xc5, 0xc6)
    this.#sink.bytes(value)
  }

  protected writeArray(items: readonly unknown[]): void {
    if (items.length < 0x10) this.#sink.byte(0x90 | items.length)
    else this.#length(items.length, 0xdc, 0xdd)
    for (let index = 0; index < items.length; index++) this.item(items[index], index)
  }

  protected writeMap(entries: readonly (readonly [unknown, unknown])[]): void {
    if (entries.length < 0x10) this.#sink.byte(0x80 | entries.length)
    else this.#length(entries.length, 0xde, 0xdf)
    for (const [key, value] of entries) {
      // Python's reader refuses other keys ("strict_map_key").
      if (typeof key !== 'string') throw this.error('the keys of a map must be text')
      this.writeText(key)
      this.item(value, key)
    }
  }

  protected writeSpecial(): boolean {
    return false
  }

  #length(length: number, tag16: number, tag32: number): void {
    if (length < 0x1_0000) this.#sink.tagged16(tag16, length)
    else this.#sink.tagged32(tag32, length)
  }
}

/** Half of a surrogate pair, with no other half beside it. */
const HAS_SURROGATE = /\p{Surrogate}/u
