import { describe, expect, onTestFinished, test, vi } from 'vitest'
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

  test('takes a time that has passed for now: Node 24 prints a warning of a negative one', async () => {
    const setTimer = vi.spyOn(globalThis, 'setTimeout')
    onTestFinished(() => setTimer.mockRestore())
    await new Promise<void>((resolve) => systemClock.schedule(-100, resolve))
    expect(setTimer.mock.calls.map(([, delayMs]) => delayMs)).toEqual([0])
  })

  test('counts durations on a clock that does not go back', () => {
    const before = systemClock.monotonic()
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before)
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000)
  })
})
