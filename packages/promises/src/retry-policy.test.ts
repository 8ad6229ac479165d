import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { retryIntervals } from './retry-policy.ts'

function take(policy: Parameters<typeof retryIntervals>[0], count: number): number[] {
  const taken: number[] = []
  for (const interval of retryIntervals(policy)) {
    if (taken.length === count) break
    taken.push(interval)
  }
  return taken
}

describe('retryIntervals', () => {
  test('follows the publish policy of Celery by default', () => {
    expect([...retryIntervals()]).toEqual([0, 0.2, 0.4])
  })

  test('grows from the start by the step up to the maximum', () => {
    const policy = { maxRetries: 6, intervalStart: 1, intervalStep: 2, intervalMax: 6 }
    expect([...retryIntervals(policy)]).toEqual([1, 3, 5, 6, 6, 6])
  })

  test('never ends when maxRetries is null, and never begins when it is 0', () => {
    expect(take({ maxRetries: null }, 1000)).toHaveLength(1000)
    expect([...retryIntervals({ maxRetries: 0 })]).toEqual([])
  })

  test('starts anew for each loop', () => {
    const intervals = retryIntervals({ maxRetries: 2 })
    expect([...intervals]).toEqual([...intervals])
  })

  test('refuses what is no duration, at once', () => {
    expect(() => retryIntervals({ intervalStep: -1 })).toThrow('intervalStep of a retry policy must be 0 or more')
    expect(() => retryIntervals({ maxRetries: Number.NaN })).toThrow(RangeError)
  })

  test('waits never shrink, never exceed the maximum, and are as many as allowed', () => {
    const seconds = fc.double({ min: 0, max: 100, noNaN: true })
    fc.assert(
      fc.property(fc.nat(50), seconds, seconds, seconds, (maxRetries, intervalStart, intervalStep, intervalMax) => {
        const intervals = [...retryIntervals({ maxRetries, intervalStart, intervalStep, intervalMax })]
        expect(intervals).toHaveLength(maxRetries)
        expect(intervals).toEqual([...intervals].sort((a, b) => a - b))
        for (const interval of intervals) expect(interval).toBeLessThanOrEqual(intervalMax)
      }),
    )
  })
})
