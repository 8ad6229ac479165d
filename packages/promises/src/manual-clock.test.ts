import { describe, expect, test } from 'vitest'
import { ManualClock } from './manual-clock.ts'

describe('ManualClock', () => {
  test('stands still until told to move', () => {
    const clock = new ManualClock(1000)
    expect([clock.now(), clock.monotonic()]).toEqual([1000, 0])
    clock.advance(5)
    expect([clock.now(), clock.monotonic()]).toEqual([1005, 5])
  })

  test('runs due timers in order of time, then of scheduling, each at its own time', () => {
    const clock = new ManualClock()
    const ran: string[] = []
    const note = (name: string) => () => void ran.push(`${name}@${clock.monotonic()}`)
    clock.schedule(20, note('late'))
    clock.schedule(10, note('first'))
    clock.schedule(10, note('second'))
    clock.schedule(30, note('never'))
    clock.advance(25)
    expect(ran).toEqual(['first@10', 'second@10', 'late@20'])
    expect(clock.monotonic()).toBe(25)
    expect(clock.pending).toBe(1)
  })

  test('runs timers that a timer sets, if they fall due on the way', () => {
    const clock = new ManualClock()
    const ran: number[] = []
    const again = (): void => {
      ran.push(clock.monotonic())
      clock.schedule(10, again)
    }
    clock.schedule(10, again)
    clock.advance(35)
    expect(ran).toEqual([10, 20, 30])
  })

  test('never runs a timer before schedule has returned, nor a cancelled one', () => {
    const clock = new ManualClock()
    let ran = 0
    const cancel = clock.schedule(0, () => ran++)
    expect(ran).toBe(0)
    cancel()
    clock.advance(10)
    expect(ran).toBe(0)
    clock.schedule(0, () => ran++)
    clock.advance(0)
    expect(ran).toBe(1)
  })

  test('jumps the wall clock alone, back too, and runs nothing', () => {
    const clock = new ManualClock(1000)
    clock.schedule(10, () => expect.unreachable('no time has passed'))
    clock.jump(60_000)
    clock.jump(-120_000)
    expect([clock.now(), clock.monotonic()]).toEqual([-59_000, 0])
  })

  test('follows code that sets its next timer from a promise, with advanceAsync', async () => {
    const clock = new ManualClock()
    const wake: number[] = []
    const work = (async () => {
      for (let i = 0; i < 3; i++) {
        await new Promise<void>((resolve) => clock.schedule(10, resolve))
        wake.push(clock.monotonic())
      }
    })()
    await clock.advanceAsync(100)
    await work
    expect(wake).toEqual([10, 20, 30])
    expect(clock.monotonic()).toBe(100)
  })

  test('tells when enough timers wait', async () => {
    const clock = new ManualClock()
    let told = false
    const waiting = clock.whenPending(2).then(() => {
      told = true
    })
    clock.schedule(1, () => {})
    await Promise.resolve()
    expect(told).toBe(false)
    clock.schedule(1, () => {})
    await waiting
    await clock.whenPending(2)
  })

  test('refuses to go back', () => {
    const clock = new ManualClock()
    expect(() => clock.advance(-1)).toThrow(RangeError)
    expect(() => clock.advance(Number.NaN)).toThrow(RangeError)
  })

  test('stays in order when a timer throws', () => {
    const clock = new ManualClock()
    const ran: string[] = []
    clock.schedule(10, () => {
      throw new Error('broken timer')
    })
    clock.schedule(20, () => ran.push('next'))
    expect(() => clock.advance(30)).toThrow('broken timer')
    expect(clock.monotonic()).toBe(10)
    clock.advance(10)
    expect(ran).toEqual(['next'])
  })
})
