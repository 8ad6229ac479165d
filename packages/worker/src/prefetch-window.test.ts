import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PrefetchWindow, type PrefetchWindowOptions } from './prefetch-window.ts'

function windowAt(options: Omit<PrefetchWindowOptions, 'now'>) {
  let nowMs = 0
  const window = new PrefetchWindow({ ...options, now: () => nowMs })
  /** Lets tasks end at a steady pace for a while. */
  const run = (tasksPerMs: number, forMs: number): void => {
    for (let ms = 0; ms < forMs; ms++) {
      nowMs++
      for (let task = 0; task < tasksPerMs; task++) window.ended()
      void window.size
    }
  }
  return { window, run, wait: (ms: number) => (nowMs += ms) }
}

describe('the window', () => {
  test('is what the multiplier says, as long as nothing is known of the tasks', () => {
    const { window } = windowAt({ base: 8, concurrency: 2, aheadMs: 25 })
    expect(window.size).toBe(8)
    expect(window.room(0)).toBe(8)
    expect(window.room(8)).toBe(0)
  })

  test('grows to what is done in a moment while tasks are short, and no further than 500', () => {
    const { run, window } = windowAt({ base: 8, concurrency: 2, aheadMs: 25 })
    run(4, 1_000)
    expect(window.size).toBeGreaterThan(90)
    expect(window.size).toBeLessThanOrEqual(100)
    run(1_000, 1_000)
    expect(window.size).toBe(500)
  })

  test('shrinks at once when tasks become long, and says that too much is held', () => {
    const { run, wait, window } = windowAt({ base: 8, concurrency: 2, aheadMs: 25 })
    run(4, 1_000)
    expect(window.isOverfull(100)).toBe(false)
    wait(1_000)
    expect(window.size).toBe(8)
    expect(window.isOverfull(100)).toBe(true)
    expect(window.isOverfull(16)).toBe(false)
  })

  test('stays what it is where nothing may be held ahead', () => {
    const { run, window } = windowAt({ base: 2, concurrency: 2, aheadMs: 0 })
    run(100, 1_000)
    expect(window.size).toBe(2)
  })

  test('fetches for a free slot at once, and else when a quarter of it is empty', () => {
    const { window } = windowAt({ base: 16, concurrency: 4, aheadMs: 25 })
    expect(window.room(3)).toBe(13)
    expect(window.room(12)).toBe(4)
    expect(window.room(13)).toBe(0)
  })

  test('comes in halves where it has grown, so that one can be fetched while the other is done', () => {
    const { run, window } = windowAt({ base: 8, concurrency: 2, aheadMs: 25, inHalves: true })
    expect(window.room(0)).toBe(8)
    run(1_000, 1_000)
    expect([window.size, window.room(0), window.room(250), window.room(375), window.room(376)]).toEqual([
      500, 250, 250, 125, 0,
    ])
  })

  test('P-3 holds for the slots only that can be used', () => {
    const { window } = windowAt({ base: 16, concurrency: 4, aheadMs: 25 })
    expect(window.room(0, 1)).toBe(12)
    expect(window.room(12, 1)).toBe(0)
    expect(window.room(0, 3)).toBe(4)
    expect(window.room(0, 4)).toBe(0)
    expect(window.isOverfull(9, 2)).toBe(false)
    expect(window.isOverfull(9, 3)).toBe(true)
    const safe = windowAt({ base: 2, concurrency: 2, aheadMs: 0 }).window
    expect([safe.room(0, 1), safe.room(1, 1)]).toEqual([1, 0])
    const endless = windowAt({ base: Number.MAX_SAFE_INTEGER, concurrency: 2, aheadMs: 0 }).window
    expect(endless.room(1_000, 1)).toBeGreaterThan(1_000_000)
    expect(windowAt({ base: 1, concurrency: 2, aheadMs: 0 }).window.room(0, 1)).toBe(1)
  })

  test('whatever happens: it is never smaller than the multiplier says, and with a free slot there is room', () => {
    const steps = fc.array(fc.record({ tasksPerMs: fc.nat(50), ms: fc.integer({ min: 1, max: 100 }) }), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 8 }),
        steps,
        (concurrency, multiplier, all) => {
          const base = concurrency * multiplier
          const { run, window } = windowAt({ base, concurrency, aheadMs: 25 })
          for (const { ms, tasksPerMs } of all) {
            run(tasksPerMs, ms)
            expect(window.size).toBeGreaterThanOrEqual(base)
            expect(window.size).toBeLessThanOrEqual(500)
            for (let held = 0; held < concurrency; held++) expect(window.room(held)).toBeGreaterThan(0)
            expect(window.room(window.size)).toBe(0)
          }
        },
      ),
      { numRuns: 50 },
    )
  })
})
