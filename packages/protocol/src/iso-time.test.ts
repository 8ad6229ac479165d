import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIsoTime, parseIsoTime } from './iso-time.ts'

describe('reading times', () => {
  const at = Date.UTC(2030, 0, 2, 3, 4, 5)
  test.each([
    ['2030-01-02T03:04:05+00:00', at],
    ['2030-01-02T03:04:05', at],
    ['2030-01-02 03:04:05Z', at],
    ['2030-01-02T03:04:05.678900+00:00', at + 678],
    ['2030-01-02T03:04:05.1Z', at + 100],
    ['2030-01-02T04:34:05+01:30', at],
    ['2030-01-02T04:34:05+0130', at],
    ['2030-01-01T22:04:05-05:00', at],
    ['2030-01-02T03:04+00:00', at - 5000],
    ['2030-01-02', Date.UTC(2030, 0, 2)],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['0001-01-01T00:00:00Z', -62_135_596_800_000],
  ])('%s', (text, ms) => {
    expect(parseIsoTime(text)).toBe(ms)
  })

  test('one without offset is in the zone of the reader', () => {
    const eastOfUs = (localMs: number): number => localMs - 3_600_000
    expect(parseIsoTime('2030-01-02T03:04:05', eastOfUs)).toBe(at - 3_600_000)
    expect(parseIsoTime('2030-01-02T03:04:05Z', eastOfUs)).toBe(at)
  })

  test.each([
    '',
    'now',
    '2030',
    '2023-02-29',
    '2030-13-01',
    '2030-01-02T24:00:00',
    '2030-01-02T03:60:00',
    '99999-01-01',
    '0000-01-01',
    '2030-01-02T03:04:05+24:00',
    '2030-01-02T03:04:05 UTC',
    '2030-01-02T03:04:05.',
    '1577836800',
  ])('%j is none', (text) => {
    expect(parseIsoTime(text)).toBeUndefined()
  })
})

describe('writing times', () => {
  test('as Python does', () => {
    expect(formatIsoTime(Date.UTC(2030, 0, 2, 3, 4, 5))).toBe('2030-01-02T03:04:05+00:00')
    expect(formatIsoTime(Date.UTC(2030, 0, 2, 3, 4, 5, 67))).toBe('2030-01-02T03:04:05.067000+00:00')
  })

  test('a fraction of a millisecond, as far as microseconds', () => {
    const at = Date.UTC(2030, 0, 2, 3, 4, 5)
    expect(formatIsoTime(at + 678.9)).toBe('2030-01-02T03:04:05.678900+00:00')
    expect(formatIsoTime(at + 0.0004)).toBe('2030-01-02T03:04:05+00:00')
    expect(formatIsoTime(at - 0.0004)).toBe('2030-01-02T03:04:05+00:00')
    expect(formatIsoTime(-0.5)).toBe('1969-12-31T23:59:59.999500+00:00')
  })

  test('what was written is read as the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), (ms) => {
        expect(parseIsoTime(formatIsoTime(ms))).toBe(ms)
      }),
    )
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 8.64e15, -62_135_596_800_001])('%d is refused', (ms) => {
    expect(() => formatIsoTime(ms)).toThrow(RangeError)
  })
})
