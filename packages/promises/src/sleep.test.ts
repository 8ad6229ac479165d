import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { ManualClock } from './manual-clock.ts'
import { sleep } from './sleep.ts'

describe('sleep', () => {
  test('lasts as long as it says', async () => {
    const clock = new ManualClock()
    let awake = false
    const sleeping = sleep(100, { clock }).then(() => {
      awake = true
    })
    await clock.advanceAsync(99)
    expect(awake).toBe(false)
    await clock.advanceAsync(1)
    await sleeping
    expect(awake).toBe(true)
  })

  test('uses the time of the machine by default', async () => {
    const before = performance.now()
    await sleep(5)
    expect(performance.now() - before).toBeGreaterThan(4)
  })

  test('ends with the reason of the signal, and leaves neither timer nor listener', async () => {
    const clock = new ManualClock()
    const controller = new AbortController()
    const sleeping = sleep(100, { clock, signal: controller.signal })
    controller.abort(new Error('wake up'))
    await expect(sleeping).rejects.toThrow('wake up')
    expect(clock.pending).toBe(0)
    await expect(sleep(100, { clock, signal: controller.signal })).rejects.toThrow('wake up')
    expect(clock.pending).toBe(0)
  })

  test('takes its listener back when it has slept enough', async () => {
    const clock = new ManualClock()
    const { signal } = new AbortController()
    const sleeping = sleep(1, { clock, signal })
    clock.advance(1)
    await sleeping
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})
