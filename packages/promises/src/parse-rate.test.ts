import { describe, expect, test } from 'vitest'
import { InvalidRateError, parseRate } from './parse-rate.ts'

describe('parseRate', () => {
  test.each([
    ['10/s', 10],
    ['100/m', 100 / 60],
    ['7200/h', 2],
    ['2.5/s', 2.5],
    ['.5', 0.5],
    ['5', 5],
    [' 5/s ', 5],
    [10, 10],
    [0.1, 0.1],
  ])('reads %j as %d per second', (rate, perSecond) => {
    expect(parseRate(rate)).toBeCloseTo(perSecond, 12)
  })

  test.each([[null], [undefined], [''], [0], ['0'], ['0/m']])('takes %j for no limit', (rate) => {
    expect(parseRate(rate)).toBeNull()
  })

  test.each([['10/d'], ['10/'], ['/s'], ['ten'], ['-1/s'], ['1/s/s'], ['10 / s'], [-1], [Number.NaN], [Infinity]])(
    'refuses %j',
    (rate) => {
      expect(() => parseRate(rate)).toThrow(InvalidRateError)
    },
  )

  test('says what it was given and what it wants', () => {
    expect(() => parseRate('10/d')).toThrow(
      expect.objectContaining({ rate: '10/d', message: expect.stringContaining("'10/m'") }),
    )
  })
})
