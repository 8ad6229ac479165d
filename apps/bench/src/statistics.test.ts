import { expect, test } from 'vitest'
import { median, percentile } from './statistics.ts'

test('the median is the middle value, or lies halfway between the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([7])).toBe(7)
})

test('a percentile lies between its neighbours, and the outermost are the least and the greatest value', () => {
  const values = [50, 10, 40, 20, 30]
  expect(percentile(values, 0)).toBe(10)
  expect(percentile(values, 100)).toBe(50)
  expect(percentile(values, 90)).toBeCloseTo(46)
})

test('there is no median of nothing', () => {
  expect(() => median([])).toThrow(RangeError)
})
