import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { growingPause } from './growing-pause.ts'

describe('growingPause', () => {
  test('doubles from the first to the longest, and stays there for any number of retries', () => {
    const pause = growingPause({ firstMs: 50, longestMs: 1_500, random: () => 0 })
    expect([0, 1, 2, 3, 4, 5, 6, 100_000].map(pause)).toEqual([50, 100, 200, 400, 800, 1_500, 1_500, 1_500])
  })

  test('is shorter by up to a quarter', () => {
    const shortest = growingPause({ firstMs: 100, longestMs: 1_000, random: () => 1 - Number.EPSILON })
    expect(shortest(0)).toBeCloseTo(75)
    expect(shortest(10)).toBeCloseTo(750)
  })

  test('differs from one who waits to the next', () => {
    const pause = growingPause({ firstMs: 100, longestMs: 1_000 })
    expect(new Set(Array.from({ length: 100 }, () => pause(2))).size).toBeGreaterThan(1)
  })

  test('is never longer than the longest, nor shorter than three quarters of the first', () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.integer({ min: 1, max: 1_000 }), (retries, firstMs) => {
        const ms = growingPause({ firstMs, longestMs: 1_000 })(retries)
        expect(ms).toBeLessThanOrEqual(1_000)
        expect(ms).toBeGreaterThanOrEqual(firstMs * 0.75)
      }),
    )
  })
})
