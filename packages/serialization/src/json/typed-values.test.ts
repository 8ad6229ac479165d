import { deepStrictEqual } from 'node:assert'
import { describe, expect, test } from 'vitest'
import type { FleetVersion } from '../fleet-version.ts'
import { DateTime } from '../values/date-time.ts'
import { PlainDate } from '../values/plain-date.ts'
import { TimeDelta } from '../values/time-delta.ts'
import { Uuid } from '../values/uuid.ts'
import { parseJson } from './parse-json.ts'
import { stringifyJson } from './stringify-json.ts'
import { TypedValues } from './typed-values.ts'

class Money {
  readonly cents: number
  readonly currency: string
  constructor(cents: number, currency: string) {
    this.cents = cents
    this.currency = currency
  }
}

const money = {
  class: Money,
  encode: ({ cents, currency }: Money) => ({ cents: BigInt(cents), currency, since: new PlainDate('2024-01-02') }),
  decode(data: unknown): Money {
    const { cents, currency } = data as { cents: unknown; currency: unknown }
    if (typeof cents !== 'number' || typeof currency !== 'string') throw new TypeError('no money')
    return new Money(cents, currency)
  },
}

describe('a Date', () => {
  const types = new TypedValues()

  test('is a datetime at UTC, and comes back as a Date', () => {
    const text = stringifyJson([new Date(1_700_000_000_123), new Date(0)], { types })
    expect(text).toBe(
      '[{"__type__":"datetime","__value__":"2023-11-14T22:13:20.123000+00:00"},' +
        '{"__type__":"datetime","__value__":"1970-01-01T00:00:00+00:00"}]',
    )
    const read = parseJson(text, { types })
    deepStrictEqual(read, [new Date(1_700_000_000_123), new Date(0)])
    expect(JSON.stringify(read)).toBe('["2023-11-14T22:13:20.123Z","1970-01-01T00:00:00.000Z"]')
  })

  test.each([
    ['microseconds', '2024-01-02T03:04:05.678901+00:00'],
    ['another offset', '2024-01-02T03:04:05+05:30'],
    ['no zone', '2024-01-02T03:04:05'],
  ])('with %s is a DateTime', (_what, text) => {
    const value = new DateTime(text)
    deepStrictEqual(parseJson(stringifyJson(value, { types }), { types }), value)
  })

  test('is written for whom a function says, each time it is asked', () => {
    let fleetVersion: FleetVersion = '4.3'
    const types = new TypedValues({ fleetVersion: () => fleetVersion })
    expect(stringifyJson(new Uuid('0'.repeat(32)), { types })).toBe('"00000000-0000-0000-0000-000000000000"')
    fleetVersion = '5.6'
    expect(types.fleetVersion).toBe('5.6')
    expect(stringifyJson(new Uuid('0'.repeat(32)), { types })).toContain('"__type__":"uuid"')
  })

  test.each(['4.3', '5.2'] as const)('is text for Celery %s, with a Z', (fleetVersion) => {
    const old = new TypedValues({ fleetVersion })
    expect(stringifyJson([new Date(0), new DateTime('2024-01-02T03:04:05')], { types: old })).toBe(
      '["1970-01-01T00:00:00Z","2024-01-02T03:04:05"]',
    )
  })

  test('keeps microseconds and zone without typed values too', () => {
    expect(stringifyJson(new DateTime('2024-01-02T03:04:05.678901+05:30'))).toBe('"2024-01-02T03:04:05.678901+05:30"')
  })
})

describe('bytes', () => {
  test('are text where they are UTF-8, else base64, as in kombu; a Buffer too', () => {
    const types = new TypedValues()
    const text = stringifyJson([Buffer.from('é'), Uint8Array.of(255, 0, 1)], { types })
    expect(text).toBe('[{"__type__":"bytes","__value__":"é"},{"__type__":"base64","__value__":"/wAB"}]')
    expect(parseJson(text, { types })).toEqual([Uint8Array.of(0xc3, 0xa9), Uint8Array.of(255, 0, 1)])
  })

  test('are refused for Celery before 5.3, with what to do', () => {
    const types = new TypedValues({ fleetVersion: '5.2' })
    expect(() => stringifyJson({ a: Buffer.from('x') }, { types })).toThrow(/\$\.a .* raise fleetVersion to 5\.6/)
    expect(() => stringifyJson({ a: Buffer.from('x') })).toThrow(expect.objectContaining({ path: '$.a' }))
  })
})

describe('types of the application', () => {
  test('travel under their name, may hold other typed values, and are found through subclasses', () => {
    const types = new TypedValues().register('money', money)
    class Tip extends Money {}
    const text = stringifyJson({ price: new Tip(250, 'EUR') }, { types })
    expect(text).toContain('"price":{"__type__":"money","__value__":{"cents":250,"currency":"EUR","since":{"__type__"')
    expect(parseJson(text, { types })).toEqual({ price: new Money(250, 'EUR') })
  })

  test('are written without the name for Celery before 5.3', () => {
    const types = new TypedValues({ fleetVersion: '4.3' }).register('money', money)
    expect(stringifyJson(new Money(1, 'EUR'), { types })).toBe(
      '{"cents":1,"currency":"EUR","since":"2024-01-02T00:00:00"}',
    )
  })

  test('have names of their own', () => {
    const types = new TypedValues().register('money', money)
    expect(() => types.register('money', money)).toThrow('there is a value type "money" already')
    expect(() => types.register('uuid', money)).toThrow(TypeError)
  })
})

test('a timedelta has no form in JSON, as in Python', () => {
  expect(() => stringifyJson([new TimeDelta(1)], { types: new TypedValues() })).toThrow('$[0]')
  expect(() => stringifyJson([new TimeDelta(1)])).toThrow('a TimeDelta has no form in JSON')
})

describe('reading', () => {
  const types = new TypedValues()

  test('kombu 5.3 wrote a version into UUIDs', () => {
    const hex = '12345678123442348234123456789abc'
    const text = `{"__type__": "uuid", "__value__": {"hex": "${hex}", "version": 4}}`
    expect(String(parseJson(text, { types }))).toBe('12345678-1234-4234-8234-123456789abc')
  })

  test.each([
    ['datetime', '"x"'],
    ['datetime', '"2024-02-30T00:00:00"'],
    ['datetime', '12'],
    ['date', '"2024-13-01"'],
    ['time', '"25:00:00"'],
    ['decimal', '"1,5"'],
    ['uuid', '"12345678123442348234123456789abc"'],
    ['uuid', '{"hex": "xyz"}'],
    ['bytes', '[1]'],
    ['base64', '"@@@"'],
    ['__proto__', '{}'],
    ['constructor', '{}'],
    ['child_process', '"ls"'],
  ])('a bad value of type %s is a DecodeError: %s (H-19)', (type, value) => {
    for (const around of ['', ', NaN']) {
      const text = `[[{"__type__": "${type}", "__value__": ${value}}]${around}]`
      expect(() => parseJson(text, { types })).toThrow(expect.objectContaining({ code: 'ERR_CELERY_DECODE' }))
    }
  })

  test('both ways of parsing give the same, at any depth', () => {
    const text = '{"__proto__": [{"__type__": "date", "__value__": "2024-01-02"}], "a": {"__type__": "b"}, "n": 1}'
    const [quick, careful] = [text, text.replace('1}', '12345678901234567890}')].map(
      (each) => parseJson(each, { types }) as Record<string, unknown>,
    )
    for (const value of [quick!, careful!]) {
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
      expect(Object.keys(value)).toEqual(['__proto__', 'a', 'n'])
      const hidden = Object.getOwnPropertyDescriptor(value, '__proto__')!.value as unknown[]
      expect(String(hidden[0])).toBe('2024-01-02')
      expect(value['a']).toEqual({ __type__: 'b' })
    }
  })
})
