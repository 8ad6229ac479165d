import { ByteSource } from '../byte-source.ts'
import { MEMORY, MemoryBudget, type MemoryOptions } from '../memory-budget.ts'
import { setOwn } from '../set-own.ts'
import { decodeUtf8 } from '../text.ts'

const TYPE = 'application/x-msgpack'

/** @throws DecodeError also for extension types, keys that are no text, and lengths beyond the end. */
export function readMsgpack(bytes: Uint8Array, maxDepth: number, options?: MemoryOptions): unknown {
  const budget = new MemoryBudget(TYPE, bytes.byteLength, options)
  return new MsgpackReader(new ByteSource(bytes, TYPE), maxDepth, budget).read()
}

class MsgpackReader {
  readonly #source: ByteSource
  readonly #budget: MemoryBudget
  #depthLeft: number
  /** Values that were announced and are still to come. */
  #owed = 0

  constructor(source: ByteSource, maxDepth: number, budget: MemoryBudget) {
    this.#source = source
    this.#depthLeft = maxDepth
    this.#budget = budget
  }

  read(): unknown {
    const value = this.#value()
    if (this.#source.left > 0) throw this.#source.error('unexpected bytes after the value')
    return value
  }

  #value(): unknown {
    const source = this.#source
    const tag = source.byte()
    if (tag < 0x80) return tag
    if (tag < 0x90) return this.#map(tag & 0x0f)
    if (tag < 0xa0) return this.#array(tag & 0x0f)
    if (tag < 0xc0) return this.#text(tag & 0x1f)
    if (tag >= 0xe0) return tag - 0x100
    switch (tag) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.#bytes(source.byte())
      case 0xc5:
        return this.#bytes(source.uint16())
      case 0xc6:
        return this.#bytes(source.uint32())
      case 0xca:
        return source.float()
      case 0xcb:
        return source.double()
      case 0xcc:
        return source.byte()
      case 0xcd:
        return source.uint16()
      case 0xce:
        return source.uint32()
      case 0xcf:
        return smallest(source.uint64())
      case 0xd0:
        return source.int8()
      case 0xd1:
        return source.int16()
      case 0xd2:
        return source.int32()
      case 0xd3:
        return smallest(source.int64())
      case 0xd9:
        return this.#text(source.byte())
      case 0xda:
        return this.#text(source.uint16())
      case 0xdb:
        return this.#text(source.uint32())
      case 0xdc:
        return this.#array(source.uint16())
      case 0xdd:
        return this.#array(source.uint32())
      case 0xde:
        return this.#map(source.uint16())
      case 0xdf:
        return this.#map(source.uint32())
      case 0xc1:
        throw source.error('0xc1 is never used')
      default:
        throw source.error('extension types are not supported')
    }
  }

  #text(length: number): string {
    this.#budget.take(MEMORY.leaf)
    return decodeUtf8(this.#source.view(length), TYPE)
  }

  #bytes(length: number): Uint8Array {
    this.#budget.take(MEMORY.bytes)
    return this.#source.bytes(length)
  }

  #array(length: number): unknown[] {
    this.#enter(length)
    this.#budget.take(MEMORY.array + length * MEMORY.slot)
    const array = new Array<unknown>(length)
    for (let index = 0; index < length; index++) {
      array[index] = this.#owedValue()
    }
    this.#depthLeft++
    return array
  }

  #map(length: number): Record<string, unknown> {
    // A key and a value for each.
    this.#enter(length * 2)
    this.#budget.take(MEMORY.object + length * MEMORY.property)
    const object: Record<string, unknown> = {}
    for (let index = 0; index < length; index++) {
      const key = this.#owedValue()
      if (typeof key !== 'string') throw this.#source.error('a key is no text')
      setOwn(object, key, this.#owedValue())
    }
    this.#depthLeft++
    return object
  }

  #owedValue(): unknown {
    this.#owed--
    return this.#value()
  }

  /**
   * Each value takes one byte at least, so a length that cannot be true is found before anything is made for it; also
   * where each of many that lie in each other claims all that is left.
   */
  #enter(values: number): void {
    if (this.#owed + values > this.#source.left)
      throw this.#source.error('more values are announced than there are bytes')
    this.#owed += values
    if (this.#depthLeft-- === 0) throw this.#source.error('nested too deeply')
  }
}

function smallest(integer: bigint): number | bigint {
  const number = Number(integer)
  return Number.isSafeInteger(number) ? number : integer
}
