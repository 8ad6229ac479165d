import { expect, test } from 'vitest'
import { compareRates } from './rate.ts'

test('compares the speed before the first fault with that up to the last', () => {
  const everyTenth = Array.from({ length: 100 }, (_none, index) => index * 10)
  const everyTwentieth = Array.from({ length: 50 }, (_none, index) => 1_000 + index * 20)
  expect(compareRates([...everyTwentieth, ...everyTenth], [1_000, 2_000])).toEqual({ calm: 100, faulty: 50 })
})

test('says nothing where there is nothing to compare', () => {
  expect(compareRates([], [1, 2])).toBeUndefined()
  expect(compareRates([0, 10], [])).toBeUndefined()
  expect(compareRates([0, 10], [5])).toBeUndefined()
})
