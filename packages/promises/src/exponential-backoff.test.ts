import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exponentialBackoff } from './exponential-backoff.ts'

const delays = (options: Parameters<typeof exponentialBackoff>[0], count: number): number[] =>
  Array.from({ length: count }, (_, retries) => exponentialBackoff(options)(retries))

describe('exponentialBackoff', () => {
  test('doubles from one second, as retry_backoff=True', () => {
    expect(delays({ jitter: false }, 5)).toEqual([1, 2, 4, 8, 16])
  })

  test('starts at the factor, at least 1 and without its fraction', () => {
    expect(delays({ factor: 3, jitter: false }, 3)).toEqual([3, 6, 12])
    expect(delays({ factor: 2.9, jitter: false }, 2)).toEqual([2, 4])
    expect(delays({ factor: 0.5, jitter: false }, 2)).toEqual([1, 2])
  })

  test('stays at the maximum, 600 s by default, for any number of retries', () => {
    expect(exponentialBackoff({ jitter: false })(10)).toBe(600)
    expect(exponentialBackoff({ jitter: false })(100_000)).toBe(600)
    expect(exponentialBackoff({ jitter: false, maximum: 5 })(3)).toBe(5)
  })

  test('spreads over everything from 0 to the computed delay, both included', () => {
    const reach = (random: number) => exponentialBackoff({ random: () => random })(3)
    expect(reach(0)).toBe(0)
    expect(reach(0.5)).toBe(4)
    expect(reach(1 - Number.EPSILON)).toBe(8)
  })

  test('gives whole seconds between 0 and the maximum with jitter', () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.nat(100), fc.nat(1000), (retries, factor, maximum) => {
        const delay = exponentialBackoff({ factor, maximum })(retries)
        expect(Number.isInteger(delay)).toBe(true)
        expect(delay).toBeGreaterThanOrEqual(0)
        expect(delay).toBeLessThanOrEqual(maximum)
      }),
    )
  })
})
