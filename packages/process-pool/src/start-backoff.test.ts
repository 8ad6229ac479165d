import { expect, test } from 'vitest'
import { StartBackoff } from './start-backoff.ts'

test('F-09: a child that always fails is started at most 30 times in a minute, however many are wanted', () => {
  for (const size of [1, 8]) {
    const backoff = new StartBackoff()
    backoff.ready(0, 0)
    const forks: number[] = []
    let starting = 0
    for (let now = 0; now < 60_000; now += 10) {
      // Each lives for 50 ms.
      const failed = forks.filter((at) => at + 50 === now).length
      for (let i = 0; i < failed; i += 1) {
        starting -= 1
        backoff.failed(now)
      }
      while (starting < size && backoff.delayMs(now, starting) === 0) {
        forks.push(now)
        starting += 1
      }
    }
    expect(forks.length).toBeLessThanOrEqual(30)
    expect(forks.length).toBeGreaterThan(10)
    const pauses = forks.slice(size).map((at, i) => at - (forks[size - 1 + i] as number))
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(100)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(5_100)
  }
})

test('children start at once while none has failed, and again when one has done a job', () => {
  const backoff = new StartBackoff()
  expect(backoff.delayMs(0, 7)).toBe(0)
  backoff.failed(0)
  expect(backoff.delayMs(0, 0)).toBe(100)
  expect(backoff.delayMs(100, 1)).toBe(Number.POSITIVE_INFINITY)
  backoff.succeeded()
  expect(backoff.delayMs(100, 7)).toBe(0)
})

test('a child that got ready lets the next one start, but a pause after it is still a long one', () => {
  const backoff = new StartBackoff()
  for (const now of [0, 200, 500]) backoff.failed(now)
  backoff.ready(1, 600)
  expect(backoff.delayMs(600, 0)).toBe(0)
  backoff.failed(601)
  expect(backoff.delayMs(601, 0)).toBe(800)
})

test('a failure long ago is forgotten', () => {
  const backoff = new StartBackoff()
  for (const now of [0, 200, 500, 1_000]) backoff.failed(now)
  backoff.failed(60_000)
  expect(backoff.delayMs(60_000, 0)).toBe(100)
})

test('the pool is unhealthy after 10 seconds without a ready child', () => {
  const backoff = new StartBackoff()
  backoff.ready(0, 1_000)
  expect(backoff.healthy(10_999)).toBe(true)
  expect(backoff.healthy(11_000)).toBe(false)
  backoff.ready(1, 12_000)
  expect(backoff.healthy(60_000)).toBe(true)
  backoff.ready(0, 60_000)
  backoff.ready(0, 65_000)
  expect(backoff.healthy(69_999)).toBe(true)
  expect(backoff.healthy(70_000)).toBe(false)
})
