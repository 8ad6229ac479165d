import { asBuffer } from '../text.ts'
import { readDateTime } from '../values/date-time.ts'
import { Decimal } from '../values/decimal.ts'
import { type CalendarFields, type ClockFields, utcMilliseconds } from '../values/iso-time.ts'
import { PlainDate } from '../values/plain-date.ts'
import { TimeDelta } from '../values/time-delta.ts'
import { TimeOfDay } from '../values/time-of-day.ts'
import { Uuid } from '../values/uuid.ts'
import type { ZoneClocks } from './zone-clocks.ts'

/** What stands for something inside a pickle and is no data by itself. */
export abstract class NotData {
  /** For the error. */
  abstract readonly name: string
}

/**
 * A name in a pickle, which Python would import and call. Here it is a row of {@link plainGlobals}: functions of ours that
 * make a value out of plain arguments, and nothing else can be named.
 */
export class PlainGlobal extends NotData {
  override readonly name: string
  /** The value, of what a pickle calls it with. @throws for arguments that do not fit. */
  readonly make: (args: readonly unknown[], clocks: ZoneClocks) => unknown

  constructor(name: string, make: (args: readonly unknown[], clocks: ZoneClocks) => unknown) {
    super()
    this.name = name
    this.make = make
  }
}

/** A `UUID` before its state arrives: the only value here that pickle makes in two steps. */
export class UnfinishedUuid extends NotData {
  override readonly name = 'uuid.UUID'
  /** Where the memo has it, until it is finished. */
  memoIndices: number[] = []

  finish(state: unknown): Uuid {
    const integer: unknown = state instanceof Map ? state.get('int') : undefined
    if (typeof integer !== 'bigint' && typeof integer !== 'number') throw new TypeError('a UUID without its integer')
    return new Uuid(BigInt(integer).toString(16).padStart(32, '0'))
  }
}

/** A time zone, which exists only inside a datetime or a time: what its offset is at what a clock shows. */
class Zone extends NotData {
  override readonly name = 'datetime.timezone'
  readonly offsetAt: (fields: (CalendarFields & ClockFields) | undefined) => number | undefined

  constructor(offsetAt: (fields: (CalendarFields & ClockFields) | undefined) => number | undefined) {
    super()
    this.offsetAt = offsetAt
  }
}

const zoneInfo = new PlainGlobal('zoneinfo.ZoneInfo', makeZone)

/** What a pickle may name. Modules of Python 2 (`__builtin__`) are named by protocols 0 to 2, which Celery 4 and 5.0 write. */
export const plainGlobals: ReadonlyMap<string, PlainGlobal> = new Map(
  [
    new PlainGlobal('datetime.datetime', makeDateTime),
    new PlainGlobal('datetime.date', ([state]) => PlainDate.of(calendarOf(stateOf(state, 4)))),
    new PlainGlobal('datetime.time', makeTime),
    new PlainGlobal(
      'datetime.timedelta',
      ([days, seconds = 0, micros = 0]) => new TimeDelta(integer(days), integer(seconds), integer(micros)),
    ),
    new PlainGlobal('datetime.timezone', ([delta]) => {
      if (!(delta instanceof TimeDelta)) throw new TypeError('a timezone is made of a timedelta')
      return new Zone(() => delta.toSeconds())
    }),
    new PlainGlobal('pytz._p', makePytzZone),
    new PlainGlobal('pytz._UTC', () => new Zone(() => 0)),
    zoneInfo,
    new PlainGlobal('zoneinfo.ZoneInfo._unpickle', makeZone),
    // How Python's pickler names a method of a class up to protocol 3.
    ...['builtins', '__builtin__'].map(
      (module) =>
        new PlainGlobal(`${module}.getattr`, ([object, name]) => {
          if (object === zoneInfo && name === '_unpickle') return zoneInfo
          throw new TypeError('getattr is allowed for ZoneInfo only')
        }),
    ),
    new PlainGlobal('decimal.Decimal', ([value]) => new Decimal(text(value))),
    new PlainGlobal('uuid.UUID', ([hex]) => (hex === undefined ? new UnfinishedUuid() : new Uuid(text(hex)))),
    new PlainGlobal('collections.OrderedDict', ([items = []]) => new Map(pairs(items))),
    new PlainGlobal('_codecs.encode', ([value, encoding]) => {
      if (encoding !== 'latin1' && encoding !== 'latin-1') throw new TypeError('only latin1 is encoded')
      return latin1(text(value))
    }),
    ...['builtins', '__builtin__'].flatMap((module) => [
      new PlainGlobal(`${module}.set`, ([items = []]) => new Set(list(items))),
      new PlainGlobal(`${module}.frozenset`, ([items = []]) => new Set(list(items))),
      new PlainGlobal(`${module}.bytes`, ([value = new Uint8Array()]) => bytes(value)),
      // Protocols 0 to 2 of Python 2 give text and its encoding.
      new PlainGlobal(`${module}.bytearray`, ([value = new Uint8Array()]) =>
        typeof value === 'string' ? latin1(value) : bytes(value),
      ),
    ]),
  ].map((each) => [each.name, each]),
)

/** Ten bytes and perhaps a zone; the top bit of the month is `fold`, which an offset makes superfluous. */
function makeDateTime([state, zone]: readonly unknown[]): Date {
  const data = stateOf(state, 10)
  const fields = { ...calendarOf(data), ...clockOf(data.subarray(4)) }
  return readDateTime({ ...fields, offsetSeconds: offsetOf(zone, fields) })
}

function makeTime([state, zone]: readonly unknown[]): TimeOfDay {
  return TimeOfDay.of({ ...clockOf(stateOf(state, 6)), offsetSeconds: offsetOf(zone, undefined) })
}

function calendarOf(state: Buffer): CalendarFields {
  return { year: state.readUInt16BE(0), month: state.readUInt8(2) & 0x7f, day: state.readUInt8(3) }
}

function clockOf(state: Buffer): ClockFields {
  return {
    hour: state.readUInt8(0) & 0x7f,
    minute: state.readUInt8(1),
    second: state.readUInt8(2),
    microsecond: state.readUIntBE(3, 3),
    offsetSeconds: undefined,
  }
}

function offsetOf(zone: unknown, fields: (CalendarFields & ClockFields) | undefined): number | undefined {
  if (zone === undefined || zone === null) return undefined
  if (zone instanceof Zone) return zone.offsetAt(fields)
  throw new TypeError('the zone of a time is not one of those we know')
}

/** `('Europe/Paris', 7200, 3600, 'CEST')`: the second is the offset in force. The offset alone is kept. */
function makePytzZone([, offset = 0]: readonly unknown[]): Zone {
  const seconds = integer(offset)
  return new Zone(() => seconds)
}

function makeZone([name]: readonly unknown[], clocks: ZoneClocks): Zone {
  const zone = text(name)
  return new Zone((fields) => {
    if (fields === undefined) return undefined
    const shown = utcMilliseconds(fields, fields)
    return (shown - clocks.instantAt(zone, shown)) / 1000
  })
}

/** Bytes, or in pickles of Python 2 the text of as many Latin-1 characters. */
function stateOf(value: unknown, length: number): Buffer {
  const state = typeof value === 'string' ? latin1(value) : bytes(value)
  if (state.byteLength !== length) throw new TypeError(`expected ${length} bytes`)
  return asBuffer(state)
}

function latin1(value: string): Uint8Array {
  if (/[^\0-\xff]/.test(value)) throw new TypeError('expected Latin-1')
  return new Uint8Array(Buffer.from(value, 'latin1'))
}

function bytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new TypeError('expected bytes')
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new TypeError('expected a list')
}

function pairs(value: unknown): [unknown, unknown][] {
  return list(value).map((pair) => {
    const [key, item, ...more] = list(pair)
    if (item === undefined || more.length > 0) throw new TypeError('expected pairs')
    return [key, item]
  })
}

function integer(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw new TypeError('expected an integer')
}

function text(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError('expected text')
}
