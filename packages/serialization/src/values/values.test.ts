import { describe, expect, test } from 'vitest'
import { DateTime } from './date-time.ts'
import { Decimal } from './decimal.ts'
import { PlainDate } from './plain-date.ts'
import { TimeDelta } from './time-delta.ts'
import { TimeOfDay } from './time-of-day.ts'
import { Uuid } from './uuid.ts'

describe('DateTime', () => {
  test.each([
    ['2024-01-02T03:04:05', '2024-01-02T03:04:05.000Z', undefined],
    ['2024-01-02T03:04:05.678901', '2024-01-02T03:04:05.678Z', undefined],
    ['2024-01-02T03:04:05+05:30', '2024-01-01T21:34:05.000Z', 19_800],
    ['2024-01-02T03:04:05.678901-11:45', '2024-01-02T14:49:05.678Z', -42_300],
    ['0001-01-01T00:00:00', '0001-01-01T00:00:00.000Z', undefined],
    ['9999-12-31T23:59:59.999999+00:00', '9999-12-31T23:59:59.999Z', 0],
    ['2024-02-29T00:00:00+00:19:32.123456', '2024-02-28T23:40:27.877Z', 1172.123456],
  ])('%s is read and written as it is', (text, instant, offsetSeconds) => {
    const value = new DateTime(text)
    expect(value.isoFormat()).toBe(text)
    expect(value.toISOString()).toBe(instant)
    expect(value.offsetSeconds).toBe(offsetSeconds)
  })

  test.each([
    ['2024-01-02 03:04:05Z', '2024-01-02T03:04:05+00:00'],
    ['2024-01-02', '2024-01-02T00:00:00'],
    ['2024-01-02T03:04', '2024-01-02T03:04:00'],
    ['2024-01-02T03:04:05.6789012', '2024-01-02T03:04:05.678901'],
    ['2024-01-02T03:04:05,5-0000', '2024-01-02T03:04:05.500000+00:00'],
  ])('%s is understood', (text, iso) => {
    expect(new DateTime(text).isoFormat()).toBe(iso)
  })

  test.each([
    '',
    'now',
    '2023-02-29T00:00:00',
    '2024-00-01T00:00:00',
    '0000-01-01T00:00:00',
    '10000-01-01T00:00:00',
    '2024-01-02T24:00:00',
    '2024-01-02T03:04:60',
    '2024-01-02T03:04:05+24:00',
    '2024-01-02T03:04:05 ',
  ])('%j is refused', (text) => {
    expect(() => new DateTime(text)).toThrow(RangeError)
  })

  test('a setter leaves a plain time', () => {
    const value = new DateTime('2024-01-02T03:04:05.678901+05:30')
    value.setUTCFullYear(2025)
    expect(value.isoFormat()).toBe('2025-01-01T21:34:05.678000+00:00')
    expect([value.microsecond, value.offsetSeconds]).toEqual([678_000, 0])
  })

  test('is made of a Date, and of itself', () => {
    expect(DateTime.from(new Date(1)).isoFormat()).toBe('1970-01-01T00:00:00.001000+00:00')
    const value = new DateTime('2024-01-02')
    expect(DateTime.from(value)).toBe(value)
    expect(() => DateTime.from(new Date(Number.NaN))).toThrow('the date is invalid')
    expect(() => DateTime.from(new Date(8e15))).toThrow('years 1 to 9999')
  })
})

test('PlainDate and TimeOfDay show what Python shows', () => {
  expect(JSON.stringify([new PlainDate('2024-01-02'), new TimeOfDay('03:04:05.5-03:30')])).toBe(
    '["2024-01-02","03:04:05.500000-03:30"]',
  )
  expect(String(PlainDate.of({ year: 7, month: 8, day: 9 }))).toBe('0007-08-09')
  expect(() => PlainDate.of({ year: 2023, month: 2, day: 29 })).toThrow(RangeError)
  expect(() => new PlainDate('2024-1-2')).toThrow(RangeError)
  expect(() => new TimeOfDay('3:04')).toThrow(RangeError)
})

test('TimeDelta is normalised as in Python', () => {
  const { days, seconds, microseconds } = new TimeDelta(0, -1, 1_500_000)
  expect([days, seconds, microseconds]).toEqual([0, 0, 500_000])
  const negative = new TimeDelta(0, 0, -1)
  expect([negative.days, negative.seconds, negative.microseconds]).toEqual([-1, 86_399, 999_999])
  expect(new TimeDelta(1, 2, 3).toMilliseconds()).toBe(86_402_000)
  expect(new TimeDelta(1, 2, 500_000).toSeconds()).toBe(86_402.5)
  expect(() => new TimeDelta(1.5)).toThrow(RangeError)
  expect(() => new TimeDelta(1e9)).toThrow(RangeError)
})

test('Decimal keeps its digits', () => {
  expect(String(new Decimal('1.10'))).toBe('1.10')
  expect(new Decimal('1.10').toNumber()).toBe(1.1)
  expect([new Decimal('-Infinity').toNumber(), new Decimal('inf').toNumber()]).toEqual([
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
  ])
  expect(new Decimal('sNaN12').toNumber()).toBeNaN()
  for (const text of ['', '.', '1e', '0x1', '1_0', ' 1']) expect(() => new Decimal(text)).toThrow(RangeError)
})

test('Uuid takes the forms that Python takes', () => {
  const text = '12345678-1234-4234-8234-123456789abc'
  for (const form of [text, text.toUpperCase(), `{${text}}`, `urn:uuid:${text}`, text.replaceAll('-', '')]) {
    expect(String(new Uuid(form))).toBe(text)
  }
  expect(() => new Uuid('1234')).toThrow(RangeError)
})
