import { expect, onTestFinished, test, vi } from 'vitest'
import { Deadline } from './deadline.ts'

const late = new Error('too late')

function setUp(): Deadline {
  vi.useFakeTimers()
  onTestFinished(() => {
    vi.useRealTimers()
  })
  return new Deadline(() => late)
}

test('ends what takes too long, and not what ended before', async () => {
  const deadline = setUp()
  const first = deadline.begin(performance.now() + 100)
  await vi.advanceTimersByTimeAsync(60)
  deadline.end()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(first.aborted).toBe(false)
  const second = deadline.begin(performance.now() + 100)
  await vi.advanceTimersByTimeAsync(99)
  expect(second.aborted).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  expect(second.reason).toBe(late)
})

test('what begins while the timer of an earlier one runs has its own time, be it longer or shorter', async () => {
  const deadline = setUp()
  deadline.begin(performance.now() + 100)
  deadline.end()
  await vi.advanceTimersByTimeAsync(50)
  const longer = deadline.begin(performance.now() + 100)
  await vi.advanceTimersByTimeAsync(90)
  expect(longer.aborted).toBe(false)
  deadline.end()
  const shorter = deadline.begin(performance.now() + 5)
  await vi.advanceTimersByTimeAsync(5)
  expect(shorter.reason).toBe(late)
})

test('what begins after one that was too late has a signal of its own', async () => {
  const deadline = setUp()
  const first = deadline.begin(performance.now() + 10)
  await vi.advanceTimersByTimeAsync(10)
  deadline.end()
  expect(first.aborted).toBe(true)
  expect(deadline.begin(performance.now() + 10).aborted).toBe(false)
})

test('leaves no timer behind once nothing begins any more', () => {
  const deadline = setUp()
  const signal = deadline.begin(performance.now() + 10)
  deadline.stop()
  expect(vi.getTimerCount()).toBe(0)
  expect(signal.aborted).toBe(false)
})

test('knows times that are too long for one timer, and that there may be none', async () => {
  const deadline = setUp()
  const monthMs = 30 * 86_400_000
  const month = deadline.begin(performance.now() + monthMs)
  expect(vi.getTimerCount()).toBe(1)
  await vi.advanceTimersByTimeAsync(monthMs - 1)
  expect(month.aborted).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  expect(month.reason).toBe(late)
  deadline.end()
  expect(deadline.begin(Number.POSITIVE_INFINITY).aborted).toBe(false)
  expect(vi.getTimerCount()).toBe(0)
})

test('keeps the process alive only while something is under way', () => {
  const deadline = setUp()
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  vi.useRealTimers()
  const before = timers()
  deadline.begin(performance.now() + 60_000)
  expect(timers()).toBe(before + 1)
  deadline.end()
  expect(timers()).toBe(before)
})
