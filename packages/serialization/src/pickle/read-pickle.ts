import { quote } from '@celery/promises'
import { ByteSource } from '../byte-source.ts'
import { MEMORY, MemoryBudget, type MemoryOptions } from '../memory-budget.ts'
import { plainTree } from '../plain-tree.ts'
import { decodeLong, parseLong } from './long-integer.ts'
import { Memo } from './memo.ts'
import { parsePythonString, parseRawUnicode } from './old-strings.ts'
import { NotData, PlainGlobal, plainGlobals, UnfinishedUuid } from './plain-globals.ts'
import { decodeSurrogates } from './surrogates.ts'
import { ZoneClocks } from './zone-clocks.ts'

const TYPE = 'application/x-python-serialize'

/** Far more than a message holds; it ends the expansion of what is referred to again and again. */
const MAX_NODES = 1_000_000

/** What a container takes beside itself until all are finished. */
const FINISHING = 100
const LIST = MEMORY.array + FINISHING
/** First a `Map`, then an object. */
const DICT = MEMORY.table + MEMORY.object + FINISHING
const PAIR = MEMORY.entry + MEMORY.property
/** A list that grows has room for so many from the start. */
const FIRST_ROOM = 17 * MEMORY.slot
/** On the stack, and in what it becomes a part of. */
const ITEM = 2 * MEMORY.slot

/**
 * Reads a pickle of plain data, protocols 0 to 5. A pickle is a program for a small stack machine; this one has the
 * instructions that build data, a list of harmless types to name, and no way to import or call anything.
 *
 * @throws DecodeError also for every class that is not on the list.
 */
export function readPickle(bytes: Uint8Array, maxDepth: number, options?: MemoryOptions): unknown {
  const value = new PickleMachine(bytes, new MemoryBudget(TYPE, bytes.byteLength, options)).run()
  const maxNodes = MAX_NODES + bytes.byteLength
  return plainTree(value, { contentType: TYPE, maxDepth, maxNodes, refuse: whyNoData })
}

function whyNoData(value: unknown): string | undefined {
  return value instanceof NotData ? `${value.name} by itself is no plain data` : undefined
}

/** Where a group of values on the stack begins. */
const MARK = Symbol('mark')

class PickleMachine {
  readonly #source: ByteSource
  readonly #budget: MemoryBudget
  readonly #clocks: ZoneClocks
  readonly #stack: unknown[] = []
  readonly #memo = new Memo()

  constructor(bytes: Uint8Array, budget: MemoryBudget) {
    this.#source = new ByteSource(bytes, TYPE)
    this.#budget = budget
    this.#clocks = new ZoneClocks(budget)
  }

  run(): unknown {
    for (;;) {
      const opcode = this.#source.byte()
      if (opcode === 0x2e /* STOP */) return this.#result()
      try {
        this.#step(opcode)
      } catch (cause) {
        // Arguments of the wrong type and numbers out of range; what is a DecodeError already stays one.
        if (cause instanceof TypeError || cause instanceof RangeError || cause instanceof SyntaxError) {
          throw this.#source.error(cause.message, { cause })
        }
        throw cause
      }
    }
  }

  #result(): unknown {
    const value = this.#data()
    if (this.#stack.length > 0 || this.#source.left > 0) throw this.#source.error('unexpected data after the value')
    return value
  }

  /** Letters in comments are the opcode as protocol 0 would show it. */
  #step(opcode: number): void {
    const source = this.#source
    switch (opcode) {
      case 0x80: // PROTO
        this.#protocol(source.byte())
        break
      case 0x95: // FRAME
        if (source.length64LE() > source.left) throw source.error('unexpected end')
        break
      case 0x28: // ( MARK
        this.#push(MARK)
        break
      case 0x30: // 0 POP
        this.#pop()
        break
      case 0x31: // 1 POP_MARK
        this.#popMark()
        break
      case 0x32: // 2 DUP
        this.#push(this.#top())
        break

      case 0x4e: // N NONE
        this.#push(null)
        break
      case 0x88: // NEWTRUE
        this.#push(true)
        break
      case 0x89: // NEWFALSE
        this.#push(false)
        break
      case 0x49: // I INT
        this.#push(parseInteger(source.line().toString('latin1')))
        break
      case 0x4a: // J BININT
        this.#push(source.int32LE())
        break
      case 0x4b: // K BININT1
        this.#push(source.byte())
        break
      case 0x4d: // M BININT2
        this.#push(source.uint16LE())
        break
      case 0x4c: // L LONG
        this.#push(parseLong(source.line().toString('latin1')))
        break
      case 0x8a: // LONG1
        this.#push(this.#long(source.byte()))
        break
      case 0x8b: // LONG4
        this.#push(this.#long(positive(source.int32LE())))
        break
      case 0x46: // F FLOAT
        this.#push(parseFloatLine(source.line().toString('latin1')))
        break
      case 0x47: // G BINFLOAT
        this.#push(source.double())
        break

      case 0x53: // S STRING
        this.#push(parsePythonString(source.line().toString('latin1')))
        break
      case 0x54: // T BINSTRING
        this.#push(this.#ascii(positive(source.int32LE())))
        break
      case 0x55: // U SHORT_BINSTRING
        this.#push(this.#ascii(source.byte()))
        break
      case 0x56: // V UNICODE
        this.#push(parseRawUnicode(source.line().toString('latin1')))
        break
      case 0x58: // X BINUNICODE
        this.#push(this.#text(source.uint32LE()))
        break
      case 0x8c: // SHORT_BINUNICODE
        this.#push(this.#text(source.byte()))
        break
      case 0x8d: // BINUNICODE8
        this.#push(this.#text(source.length64LE()))
        break
      case 0x42: // B BINBYTES
        this.#push(this.#bytes(source.uint32LE()))
        break
      case 0x43: // C SHORT_BINBYTES
        this.#push(this.#bytes(source.byte()))
        break
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        this.#push(this.#bytes(source.length64LE()))
        break

      case 0x5d: // ] EMPTY_LIST
      case 0x29: // ) EMPTY_TUPLE
        this.#pushList([])
        break
      case 0x6c: // l LIST
      case 0x74: // t TUPLE
        this.#pushList(this.#popMark())
        break
      case 0x85: // TUPLE1
        this.#pushList(this.#popMany(1))
        break
      case 0x86: // TUPLE2
        this.#pushList(this.#popMany(2))
        break
      case 0x87: // TUPLE3
        this.#pushList(this.#popMany(3))
        break
      case 0x61: // a APPEND
        this.#append([this.#data()])
        break
      case 0x65: // e APPENDS
        this.#append(this.#popMark())
        break
      case 0x7d: // } EMPTY_DICT
        this.#pushDict([])
        break
      case 0x64: // d DICT
        this.#pushDict(this.#popMark())
        break
      case 0x73: // s SETITEM
        this.#setItems(this.#container(2), this.#popMany(2))
        break
      case 0x75: {
        // u SETITEMS
        const items = this.#popMark()
        this.#setItems(this.#top(), items)
        break
      }
      case 0x8f: // EMPTY_SET
        this.#pushSet([])
        break
      case 0x90: // ADDITEMS
        this.#addItems(this.#popMark())
        break
      case 0x91: // FROZENSET
        this.#pushSet(this.#popMark())
        break

      case 0x70: // p PUT
        this.#remember(parseIndex(source.line().toString('latin1')))
        break
      case 0x71: // q BINPUT
        this.#remember(source.byte())
        break
      case 0x72: // r LONG_BINPUT
        this.#remember(source.uint32LE())
        break
      case 0x94: // MEMOIZE
        this.#remember(this.#memo.size)
        break
      case 0x67: // g GET
        this.#recall(parseIndex(source.line().toString('latin1')))
        break
      case 0x68: // h BINGET
        this.#recall(source.byte())
        break
      case 0x6a: // j LONG_BINGET
        this.#recall(source.uint32LE())
        break

      case 0x63: // c GLOBAL
        this.#name(source.line().toString('latin1'), source.line().toString('latin1'))
        break
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.#popMany(2)
        if (typeof module !== 'string' || typeof name !== 'string') throw new TypeError('a name is no text')
        this.#name(module, name)
        break
      }
      case 0x52: // R REDUCE
      case 0x81: // NEWOBJ
        this.#make()
        break
      case 0x62: // b BUILD
        this.#build()
        break
      default:
        // Classes of Python 2 (INST, OBJ), extension codes, persistent ids, buffers out of band.
        throw source.error(`the instruction 0x${opcode.toString(16)} has no part in plain data`)
    }
  }

  #protocol(version: number): void {
    if (version > 5) throw this.#source.error(`unknown pickle protocol ${version}`)
  }

  #name(module: string, name: string): void {
    const global = plainGlobals.get(`${module}.${name}`)
    if (global === undefined) {
      const full = quote(`${module}.${name}`)
      throw this.#source.error(`${full} is no plain data; send dicts, lists, text and numbers instead of objects`)
    }
    this.#push(global)
  }

  #make(): void {
    const [global, args] = this.#popMany(2)
    if (!(global instanceof PlainGlobal) || !Array.isArray(args)) throw new TypeError('only what has a name is made')
    // Some make a copy of what they are given, which a pickle can refer to again and again.
    this.#budget.take(args.reduce<number>((sum, arg) => sum + copyBytes(arg), MEMORY.typed))
    this.#push(global.make(args, this.#clocks))
  }

  #build(): void {
    const [object, state] = this.#popMany(2)
    if (!(object instanceof UnfinishedUuid)) throw new TypeError('only a UUID has a state')
    const uuid = object.finish(state)
    this.#push(uuid)
    // Whoever refers to it again means the finished one.
    for (const index of object.memoIndices) if (this.#memo.get(index) === object) this.#memo.set(index, uuid)
    object.memoIndices = []
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top()
    if (!Array.isArray(list)) throw new TypeError('there is no list to append to')
    if (list.length === 0) this.#budget.take(FIRST_ROOM)
    for (const item of items) list.push(item)
  }

  #addItems(items: readonly unknown[]): void {
    const set = this.#top()
    if (!(set instanceof Set)) throw new TypeError('there is no set to add to')
    this.#budget.take(items.length * 2 * MEMORY.entry)
    for (const item of items) set.add(item)
  }

  #remember(index: number): void {
    const value = this.#top()
    this.#budget.take(index === this.#memo.size ? MEMORY.slot : MEMORY.entry)
    this.#memo.set(index, value)
    if (value instanceof UnfinishedUuid) value.memoIndices.push(index)
  }

  #recall(index: number): void {
    if (!this.#memo.has(index)) throw this.#source.error(`nothing was remembered under ${index}`)
    this.#push(this.#memo.get(index))
  }

  #text(length: number): string {
    this.#budget.take(MEMORY.leaf)
    const text = decodeSurrogates(this.#source.view(length))
    if (text === undefined) throw this.#source.error('invalid UTF-8')
    return text
  }

  /** Text of Python 2, which Python 3 takes for ASCII too. */
  #ascii(length: number): string {
    const text = this.#source.view(length).toString('latin1')
    if (/[^\0-\x7f]/.test(text)) throw this.#source.error('text of Python 2 that is not ASCII')
    return text
  }

  #bytes(length: number): Uint8Array {
    this.#budget.take(MEMORY.bytes)
    return this.#source.bytes(length)
  }

  #long(length: number): number | bigint {
    this.#budget.take(MEMORY.leaf)
    return decodeLong(this.#source.view(length))
  }

  #push(value: unknown): void {
    this.#budget.take(ITEM)
    this.#stack.push(value)
  }

  #pushList(items: unknown[]): void {
    this.#budget.take(LIST)
    this.#push(items)
  }

  /** @param items - Keys and values in turn. */
  #pushDict(items: readonly unknown[]): void {
    this.#budget.take(DICT)
    const dict = new Map()
    this.#setItems(dict, items)
    this.#push(dict)
  }

  #pushSet(items: readonly unknown[]): void {
    // Two of them: what is finished is another one.
    this.#budget.take(2 * (MEMORY.table + items.length * MEMORY.entry) + FINISHING)
    this.#push(new Set(items))
  }

  /** @param items - Keys and values in turn. */
  #setItems(map: unknown, items: readonly unknown[]): void {
    if (!(map instanceof Map)) throw new TypeError('there is no dict to set items of')
    if (items.length % 2 !== 0) throw new TypeError('a key has no value')
    this.#budget.take((items.length / 2) * PAIR)
    for (let index = 0; index < items.length; index += 2) map.set(items[index], items[index + 1])
  }

  #pop(): unknown {
    if (this.#stack.length === 0) throw this.#source.error('the stack is empty')
    return this.#stack.pop()
  }

  /** The top, taken off, which is no mark. */
  #data(): unknown {
    const value = this.#pop()
    if (value === MARK) throw this.#source.error('a value is missing')
    return value
  }

  #top(): unknown {
    return this.#container(0)
  }

  /** What lies so many values below the top. */
  #container(below: number): unknown {
    const value = this.#stack.at(-1 - below)
    if (this.#stack.length <= below || value === MARK) throw this.#source.error('the stack is empty')
    return value
  }

  #popMany(count: number): unknown[] {
    if (this.#stack.length < count) throw this.#source.error('the stack is empty')
    const values = this.#stack.splice(-count)
    if (values.includes(MARK)) throw this.#source.error('a value is missing')
    return values
  }

  #popMark(): unknown[] {
    const at = this.#stack.lastIndexOf(MARK)
    if (at === -1) throw this.#source.error('no group was begun')
    const values = this.#stack.splice(at)
    values.shift()
    return values
  }
}

/** What a copy of an argument takes at most. */
function copyBytes(arg: unknown): number {
  if (typeof arg === 'string') return 2 * arg.length
  if (arg instanceof Uint8Array) return arg.byteLength
  return Array.isArray(arg) ? MEMORY.table + arg.length * 2 * PAIR : 0
}

/** `I01` and `I00` are the booleans of protocols 0 and 1. */
function parseInteger(line: string): boolean | number | bigint {
  if (line === '01') return true
  if (line === '00') return false
  return parseLong(line)
}

function parseFloatLine(line: string): number {
  const special = /^([+-]?)(inf|nan)$/.exec(line)
  if (special !== null) return special[2] === 'nan' ? Number.NaN : Number(`${special[1]}Infinity`)
  if (!/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(line)) throw new SyntaxError('bad number')
  return Number(line)
}

function parseIndex(line: string): number {
  if (!/^\d{1,10}$/.test(line)) throw new SyntaxError('bad index')
  return Number(line)
}

function positive(length: number): number {
  if (length < 0) throw new RangeError('negative length')
  return length
}
