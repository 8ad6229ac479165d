import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemClock } from './clock.ts'
import { ManualClock } from './manual-clock.ts'
import { TimerHeap } from './timer-heap.ts'

describe('TimerHeap', () => {
  test('runs entries in order of time, those of the same time in order of scheduling', () => {
    const clock = new ManualClock()
    using heap = new TimerHeap({ clock })
    const ran: string[] = []
    heap.schedule(20, () => ran.push('c'))
    heap.schedule(10, () => ran.push('a'))
    heap.scheduleAt(10, () => ran.push('b'))
    clock.advance(9)
    expect(ran).toEqual([])
    clock.advance(11)
    expect(ran).toEqual(['a', 'b', 'c'])
    expect(heap.size).toBe(0)
  })

  test('keeps one underlying timer for any number of entries, and none when empty', () => {
    const clock = new ManualClock()
    using heap = new TimerHeap({ clock })
    const cancels = Array.from({ length: 1000 }, (_, i) => heap.schedule(1000 - i, () => {}))
    expect(clock.pending).toBe(1)
    for (const cancel of cancels) cancel()
    expect(clock.pending).toBe(0)
    expect(heap.nextAtMs).toBeUndefined()
  })

  test('does not run what was cancelled, also by an entry of the same moment', () => {
    const clock = new ManualClock()
    using heap = new TimerHeap({ clock })
    const ran: string[] = []
    heap.schedule(10, () => cancelSecond())
    const cancelSecond = heap.schedule(10, () => ran.push('second'))
    heap.schedule(10, () => ran.push('third'))
    clock.advance(10)
    cancelSecond()
    expect(ran).toEqual(['third'])
  })

  test('runs an entry of the past as soon as possible, but not within schedule', () => {
    const clock = new ManualClock()
    clock.advance(100)
    using heap = new TimerHeap({ clock })
    let ran = false
    heap.scheduleAt(5, () => {
      ran = true
    })
    expect(ran).toBe(false)
    clock.advance(0)
    expect(ran).toBe(true)
  })

  test('is not moved by a jump of the wall clock', () => {
    const clock = new ManualClock()
    using heap = new TimerHeap({ clock })
    let ran = false
    heap.schedule(1000, () => {
      ran = true
    })
    clock.jump(3_600_000)
    clock.advance(999)
    expect(ran).toBe(false)
    clock.advance(1)
    expect(ran).toBe(true)
  })

  test('gives the event loop its turn when an entry always schedules another', async () => {
    using heap = new TimerHeap({ clock: systemClock })
    let runs = 0
    const again = (): void => {
      runs++
      heap.scheduleAt(0, again)
    }
    heap.scheduleAt(0, again)
    // Would never resolve if the entries kept the loop to themselves.
    await new Promise<void>((resolve) => setTimeout(resolve, 5))
    heap.clear()
    expect(runs).toBeGreaterThan(0)
  })

  test('runs the entries after one that throws, and hands over what it threw', () => {
    const clock = new ManualClock()
    const errors: unknown[] = []
    using heap = new TimerHeap({ clock, onError: (error) => errors.push(error) })
    const ran: string[] = []
    const broken = new Error('broken entry')
    heap.schedule(10, () => {
      throw broken
    })
    heap.schedule(10, () => ran.push('same time'))
    heap.schedule(20, () => ran.push('later'))
    clock.advance(20)
    expect(errors).toEqual([broken])
    expect(ran).toEqual(['same time', 'later'])
  })

  test('never runs an entry early on the clock of the machine', async () => {
    using heap = new TimerHeap()
    const lateness = await Promise.all(
      [0.2, 1.5, 3.7, 5, 8.4].map(
        (delayMs) =>
          new Promise<number>((resolve) => {
            const atMs = systemClock.monotonic() + delayMs
            heap.scheduleAt(atMs, () => resolve(systemClock.monotonic() - atMs))
          }),
      ),
    )
    expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0)
  })

  test('cancels everything when disposed', () => {
    const clock = new ManualClock()
    {
      using heap = new TimerHeap({ clock })
      heap.schedule(1, () => expect.unreachable('was disposed'))
    }
    expect(clock.pending).toBe(0)
    clock.advance(10)
  })

  test('refuses a time that is none', () => {
    using heap = new TimerHeap({ clock: new ManualClock() })
    expect(() => heap.schedule(Number.NaN, () => {})).toThrow(RangeError)
  })

  test('does what a sorted list would, whatever is scheduled, cancelled and waited for', () => {
    const operation = fc.oneof(
      fc.record({ op: fc.constant('schedule' as const), ms: fc.nat(8) }),
      fc.record({ op: fc.constant('cancel' as const), nth: fc.nat(30) }),
      fc.record({ op: fc.constant('advance' as const), ms: fc.nat(6) }),
    )
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80, size: 'max' }), (operations) => {
        const clock = new ManualClock()
        using heap = new TimerHeap({ clock })
        const ran: number[] = []
        const expected: number[] = []
        const cancels: (() => void)[] = []
        let waiting: { id: number; atMs: number }[] = []
        for (const operation of operations) {
          if (operation.op === 'schedule') {
            const id = cancels.length
            waiting.push({ id, atMs: clock.monotonic() + operation.ms })
            cancels.push(heap.schedule(operation.ms, () => ran.push(id)))
          } else if (operation.op === 'cancel') {
            cancels[operation.nth]?.()
            waiting = waiting.filter(({ id }) => id !== operation.nth)
          } else {
            clock.advance(operation.ms)
            const due = waiting.filter(({ atMs }) => atMs <= clock.monotonic())
            due.sort((a, b) => a.atMs - b.atMs || a.id - b.id)
            expected.push(...due.map(({ id }) => id))
            waiting = waiting.filter(({ atMs }) => atMs > clock.monotonic())
          }
          expect(ran).toEqual(expected)
          expect(heap.size).toBe(waiting.length)
          expect(clock.pending).toBe(waiting.length === 0 ? 0 : 1)
        }
      }),
    )
  })
})
