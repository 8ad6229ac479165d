import { describe, expect, test } from 'vitest'
import { systemClock } from './clock.ts'

describe('systemClock', () => {
  test('runs what is scheduled, not what is cancelled', async () => {
    const cancel = systemClock.schedule(0, () => expect.unreachable('was cancelled'))
    cancel()
    await new Promise<void>((resolve) => systemClock.schedule(1, resolve))
  })

  test('does not run a timer of a month at once, as setTimeout does', async () => {
    let early = false
    const cancel = systemClock.schedule(2 ** 31, () => {
      early = true
    })
    // Timers run in order of time, and one taken for 1 ms would be due before this one.
    await new Promise((resolve) => setTimeout(resolve, 20))
    cancel()
    expect(early).toBe(false)
  })

  test('counts durations on a clock that does not go back', () => {
    const before = systemClock.monotonic()
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before)
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000)
  })
})
