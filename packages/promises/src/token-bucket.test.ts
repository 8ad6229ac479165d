import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ManualClock } from './manual-clock.ts'
import { TokenBucket } from './token-bucket.ts'

describe('TokenBucket', () => {
  test('starts full, gives until it is empty, and fills at its rate', () => {
    const clock = new ManualClock()
    const bucket = new TokenBucket({ fillRate: 2, capacity: 3, clock })
    expect([bucket.canConsume(), bucket.canConsume(2), bucket.canConsume()]).toEqual([true, true, false])
    clock.advance(499)
    expect(bucket.canConsume()).toBe(false)
    clock.advance(1)
    expect(bucket.canConsume()).toBe(true)
  })

  test('spreads uses evenly by default: 100 a minute are 600 ms apart', () => {
    const clock = new ManualClock()
    const bucket = new TokenBucket({ fillRate: 100 / 60, clock })
    expect(bucket.canConsume()).toBe(true)
    expect(bucket.expectedTime()).toBeCloseTo(0.6)
    clock.advance(600)
    expect(bucket.canConsume()).toBe(true)
  })

  test('takes nothing when there is not enough', () => {
    const bucket = new TokenBucket({ fillRate: 1, capacity: 2, clock: new ManualClock() })
    bucket.canConsume()
    expect(bucket.canConsume(2)).toBe(false)
    expect(bucket.tokens).toBe(1)
  })

  test('gains nothing from the time it stood full', () => {
    const clock = new ManualClock()
    const bucket = new TokenBucket({ fillRate: 1, clock })
    clock.advance(3_600_000)
    expect([bucket.canConsume(), bucket.canConsume()]).toEqual([true, false])
  })

  test('says how long to wait: nothing, some seconds, or for ever', () => {
    const clock = new ManualClock()
    const bucket = new TokenBucket({ fillRate: 0.5, capacity: 2, clock })
    expect(bucket.expectedTime(2)).toBe(0)
    bucket.canConsume(2)
    expect(bucket.expectedTime()).toBe(2)
    expect(bucket.expectedTime(2)).toBe(4)
    expect(bucket.expectedTime(3)).toBe(Number.POSITIVE_INFINITY)
  })

  test('is not moved by a jump of the wall clock', () => {
    const clock = new ManualClock()
    const bucket = new TokenBucket({ fillRate: 1, clock })
    bucket.canConsume()
    clock.jump(3_600_000)
    expect(bucket.canConsume()).toBe(false)
  })

  test('refuses a rate or capacity that is not above 0', () => {
    expect(() => new TokenBucket({ fillRate: 0 })).toThrow(RangeError)
    expect(() => new TokenBucket({ fillRate: 1, capacity: Number.NaN })).toThrow(RangeError)
  })

  test('has the tokens when the expected time has passed, for any rate', () => {
    const rate = fc.double({ min: 1e-3, max: 1e4, noNaN: true })
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(1000), { maxLength: 20 }), (...given) => {
        const [fillRate, capacity, waits] = given
        const clock = new ManualClock()
        const bucket = new TokenBucket({ fillRate, capacity, clock })
        for (const ms of waits) {
          bucket.canConsume()
          clock.advance(ms)
        }
        clock.advance(bucket.expectedTime(capacity) * 1000)
        expect(bucket.canConsume(capacity)).toBe(true)
      }),
    )
  })

  test('never allows more than its capacity and what came in since', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.nat(100), { maxLength: 100, size: 'max' }),
        (fillRate, waits) => {
          const clock = new ManualClock()
          const bucket = new TokenBucket({ fillRate, capacity: 2, clock })
          let used = 0
          for (const ms of waits) {
            clock.advance(ms)
            while (bucket.canConsume()) used++
          }
          expect(used).toBeLessThanOrEqual(2 + (fillRate * clock.monotonic()) / 1000 + 1e-6)
        },
      ),
    )
  })
})
