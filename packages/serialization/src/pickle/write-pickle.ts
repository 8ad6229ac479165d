import { ByteSink } from '../byte-sink.ts'
import { TreeWriter } from '../tree-writer.ts'
import { DateTime } from '../values/date-time.ts'
import { Decimal } from '../values/decimal.ts'
import type { CalendarFields, ClockFields } from '../values/iso-time.ts'
import { PlainDate } from '../values/plain-date.ts'
import { TimeDelta } from '../values/time-delta.ts'
import { TimeOfDay } from '../values/time-of-day.ts'
import { Uuid } from '../values/uuid.ts'
import { encodeLong } from './long-integer.ts'
import { encodeSurrogates } from './surrogates.ts'

/** Protocol 2, which every Python reads, and whose module names Python 3 translates. @throws EncodeError */
export function writePickle(value: unknown, maxDepth: number): Uint8Array {
  return new PickleWriter(maxDepth).finish(value)
}

const MARK = 0x28
const TUPLE = 0x74
const TUPLE1 = 0x85
const TUPLE2 = 0x86
const TUPLE3 = 0x87
const REDUCE = 0x52

class PickleWriter extends TreeWriter {
  readonly #sink = new ByteSink()

  constructor(maxDepth: number) {
    super('application/x-python-serialize', maxDepth)
  }

  finish(value: unknown): Uint8Array {
    this.#sink.byte(0x80)
    this.#sink.byte(2)
    this.write(value)
    this.#sink.byte(0x2e)
    return this.#sink.finish()
  }

  protected writeNull(): void {
    this.#sink.byte(0x4e)
  }

  protected writeBoolean(value: boolean): void {
    this.#sink.byte(value ? 0x88 : 0x89)
  }

  protected writeInteger(value: number | bigint): void {
    if (typeof value === 'number' && value >= -0x8000_0000 && value < 0x8000_0000) {
      this.#sink.byte(0x4a)
      this.#sink.int32LE(value)
      return
    }
    const bytes = encodeLong(BigInt(value))
    if (bytes.byteLength < 0x100) {
      this.#sink.byte(0x8a)
      this.#sink.byte(bytes.byteLength)
    } else {
      this.#sink.byte(0x8b)
      this.#sink.int32LE(bytes.byteLength)
    }
    this.#sink.bytes(bytes)
  }

  protected writeFloat(value: number): void {
    this.#sink.byte(0x47)
    this.#sink.double(value)
  }

  protected writeText(value: string): void {
    const bytes = encodeSurrogates(value)
    this.#sink.byte(0x58)
    this.#sink.uint32LE(bytes.byteLength)
    this.#sink.bytes(bytes)
  }

  /** Protocol 2 has no bytes of Python 3: they are text of Latin-1 characters, and how to turn them back. */
  protected writeBytes(value: Uint8Array): void {
    this.#global('_codecs', 'encode')
    this.writeText(Buffer.from(value).toString('latin1'))
    this.writeText('latin1')
    this.#sink.byte(TUPLE2)
    this.#sink.byte(REDUCE)
  }

  protected writeArray(items: readonly unknown[]): void {
    this.#sink.byte(0x5d)
    if (items.length === 0) return
    this.#sink.byte(MARK)
    for (let index = 0; index < items.length; index++) this.item(items[index], index)
    this.#sink.byte(0x65)
  }

  protected writeMap(entries: readonly (readonly [unknown, unknown])[]): void {
    this.#sink.byte(0x7d)
    if (entries.length === 0) return
    this.#sink.byte(MARK)
    for (const [key, value] of entries) {
      this.#key(key)
      this.item(value, typeof key === 'string' ? key : '(value)')
    }
    this.#sink.byte(0x75)
  }

  protected writeSpecial(value: object): boolean {
    if (value instanceof Set) this.#set(value)
    else if (value instanceof DateTime) {
      const { fields } = value
      this.#timed('datetime', [...calendarBytes(fields), ...clockBytes(fields)], fields.offsetSeconds)
    } else if (value instanceof PlainDate) this.#timed('date', calendarBytes(value), undefined)
    else if (value instanceof TimeOfDay) this.#timed('time', clockBytes(value), value.offsetSeconds)
    else if (value instanceof TimeDelta) this.#delta(value)
    else if (value instanceof Decimal) {
      this.#global('decimal', 'Decimal')
      this.writeText(value.text)
      this.#call()
    } else if (value instanceof Uuid) {
      // Called with its digits; what Python itself writes sets the state of an empty object.
      this.#global('uuid', 'UUID')
      this.writeText(value.hex)
      this.#call()
    } else return false
    return true
  }

  #set(value: ReadonlySet<unknown>): void {
    this.#global('__builtin__', 'set')
    this.#sink.byte(0x5d)
    this.#sink.byte(MARK)
    for (const item of value) this.#key(item)
    this.#sink.byte(0x65)
    this.#call()
  }

  /** What Python can hash: an array must be a tuple there, and a map or a set has no hash at all. */
  #key(value: unknown): void {
    if (Array.isArray(value)) {
      this.#sink.byte(MARK)
      for (const item of value) this.#key(item)
      this.#sink.byte(TUPLE)
    } else if (value instanceof Map || value instanceof Set || isPlainObject(value)) {
      throw this.error('Python takes no dict or set for a key or for an element of a set')
    } else this.item(value, '(key)')
  }

  #timed(name: string, state: readonly number[], offsetSeconds: number | undefined): void {
    this.#global('datetime', name)
    this.writeBytes(Uint8Array.from(state))
    if (offsetSeconds === undefined) this.#sink.byte(TUPLE1)
    else {
      this.#global('datetime', 'timezone')
      this.#delta(new TimeDelta(0, Math.floor(offsetSeconds), Math.round((offsetSeconds % 1) * 1e6)))
      this.#call()
      this.#sink.byte(TUPLE2)
    }
    this.#sink.byte(REDUCE)
  }

  #delta({ days, seconds, microseconds }: TimeDelta): void {
    this.#global('datetime', 'timedelta')
    for (const part of [days, seconds, microseconds]) this.writeInteger(part)
    this.#sink.byte(TUPLE3)
    this.#sink.byte(REDUCE)
  }

  #global(module: string, name: string): void {
    this.#sink.byte(0x63)
    this.#sink.text(`${module}\n${name}\n`)
  }

  /** What is named, with the one argument on top of the stack. */
  #call(): void {
    this.#sink.byte(TUPLE1)
    this.#sink.byte(REDUCE)
  }
}

function calendarBytes({ year, month, day }: CalendarFields): number[] {
  return [year >> 8, year & 0xff, month, day]
}

function clockBytes({ hour, minute, second, microsecond }: ClockFields): number[] {
  return [hour, minute, second, microsecond >> 16, (microsecond >> 8) & 0xff, microsecond & 0xff]
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
