import { isUtf8 } from 'node:buffer'
import { quote } from '@celery/promises'
import type { FleetVersion } from '../fleet-version.ts'
import { asBuffer } from '../text.ts'
import { isoFormat, readDateTime } from '../values/date-time.ts'
import { Decimal } from '../values/decimal.ts'
import { PlainDate } from '../values/plain-date.ts'
import { TimeOfDay } from '../values/time-of-day.ts'
import { Uuid } from '../values/uuid.ts'
import type { JsonTypes } from './json-options.ts'

/** A type of the application's own, for `TypedValues.register`. */
export interface ValueType<T extends object> {
  /** Instances of it, and of what extends it, are written as this type. */
  readonly class: abstract new (
    ...args: never[]
  ) => T
  /** What to write: plain data, or values of other types that are known. */
  encode(value: T): unknown
  /** The value again; data of a stranger. Whatever it throws makes the body a `DecodeError`. */
  decode(data: unknown): T
}

export interface TypedValuesOptions {
  /** Who must be able to read what we write; a function is asked for each value. @defaultValue `'5.6'` */
  readonly fleetVersion?: FleetVersion | (() => FleetVersion)
}

type Replace = (value: object) => unknown

/**
 * Celery's typed values in JSON: `datetime`, `date`, `time`, `decimal`, `uuid` and bytes, and types that an application
 * registers, as `{"__type__": …, "__value__": …}`.
 *
 * Since kombu 5.3 (Celery 5.3) both sides know that form. Older ones write text in its place, which stays text, and hand
 * the tagged object to the task as it is; for them, with an older `fleetVersion`, we write their text too.
 * Reading takes all forms at any `fleetVersion`.
 */
export class TypedValues implements JsonTypes {
  readonly #fleetVersion: () => FleetVersion
  readonly #byPrototype = new Map<object, Replace>()
  readonly #byName = new Map<string, (data: unknown) => unknown>()

  constructor(options: TypedValuesOptions = {}) {
    const { fleetVersion = '5.6' } = options
    this.#fleetVersion = typeof fleetVersion === 'function' ? fleetVersion : () => fleetVersion
    this.#write(Date, (date) => tag('datetime', isoFormat(date)), oldDateTime)
    this.#write(
      PlainDate,
      (date) => tag('date', String(date)),
      (date) => `${date}T00:00:00`,
    )
    this.#write(TimeOfDay, (time) => tag('time', String(time)), String)
    this.#write(Decimal, (decimal) => tag('decimal', decimal.text), String)
    this.#write(Uuid, (uuid) => tag('uuid', { hex: uuid.hex }), String)
    this.#write(Uint8Array, taggedBytes, refuseBytes)
    this.#read('datetime', (data) => readDateTime(text(data)))
    this.#read('date', (data) => new PlainDate(text(data)))
    this.#read('time', (data) => new TimeOfDay(text(data)))
    this.#read('decimal', (data) => new Decimal(text(data)))
    this.#read('uuid', readUuid)
    this.#read('bytes', (data) => new Uint8Array(Buffer.from(text(data), 'utf8')))
    this.#read('base64', readBase64)
  }

  /** Who must be able to read what we write. */
  get fleetVersion(): FleetVersion {
    return this.#fleetVersion()
  }

  /**
   * Adds a type under the name that goes over the wire; kombu's `register_type`. Readers must know it too: to others the
   * message is undecodable. With a `fleetVersion` before 5.6 what `encode` gives is written without the name.
   *
   * @throws TypeError where the name is taken.
   */
  register<T extends object>(name: string, type: ValueType<T>): this {
    if (this.#byName.has(name)) throw new TypeError(`there is a value type ${quote(name)} already`)
    const encode = (value: T): unknown => type.encode(value)
    this.#write(type.class, (value) => tag(name, encode(value)), encode)
    this.#read(name, (data) => type.decode(data))
    return this
  }

  replace(value: object): unknown {
    // The nearest class counts. Most values are plain data, which never come here.
    for (let at: unknown = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) {
      const replace = this.#byPrototype.get(at as object)
      if (replace !== undefined) return replace(value)
    }
    return undefined
  }

  revive(type: string, value: unknown): unknown {
    const read = this.#byName.get(type)
    if (read === undefined) throw new TypeError('the type is not registered')
    return read(value)
  }

  /** @param tagged - As Celery 5.3 and later read it. @param plain - For those before. */
  #write<T extends object>(
    type: abstract new (...args: never[]) => T,
    tagged: (value: T) => unknown,
    plain: (value: T) => unknown,
  ): void {
    const replace = (value: T): unknown => (this.fleetVersion === '5.6' ? tagged(value) : plain(value))
    this.#byPrototype.set(type.prototype, replace as Replace)
  }

  #read(name: string, read: (data: unknown) => unknown): void {
    this.#byName.set(name, read)
  }
}

function tag(type: string, value: unknown): unknown {
  return { __type__: type, __value__: value }
}

/** kombu before 5.3 shortens UTC, and UTC only, to "Z". */
function oldDateTime(date: Date): string {
  return isoFormat(date).replace(/\+00:00$/, 'Z')
}

/** kombu: text where the bytes are UTF-8, else base64. */
function taggedBytes(bytes: Uint8Array): unknown {
  const buffer = asBuffer(bytes)
  return isUtf8(buffer) ? tag('bytes', buffer.toString('utf8')) : tag('base64', buffer.toString('base64'))
}

function refuseBytes(): never {
  throw new TypeError('Celery before 5.3 has no bytes in JSON; send base64 text, or raise fleetVersion to 5.6')
}

function readUuid(data: unknown): Uuid {
  // kombu 5.3 adds a "version", which the digits hold already.
  if (typeof data === 'object' && data !== null && 'hex' in data) return new Uuid(text(data.hex))
  throw new TypeError('expected an object with "hex"')
}

function readBase64(data: unknown): Uint8Array {
  const encoded = text(data)
  if (encoded.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) throw new TypeError('expected base64')
  return new Uint8Array(Buffer.from(encoded, 'base64'))
}

function text(data: unknown): string {
  if (typeof data === 'string') return data
  throw new TypeError('expected text')
}
