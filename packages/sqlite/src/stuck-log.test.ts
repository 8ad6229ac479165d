import { expect, test } from 'vitest'
import { StuckLog } from './stuck-log.ts'

test('tries are a second apart, then two, and a minute at most, until one succeeds', () => {
  let now = 0
  const log = new StuckLog(() => now)
  const pause = (): number => {
    log.tried(false)
    const started = now
    while (!log.mayTry()) now += 500
    return now - started
  }
  expect(log.mayTry()).toBe(true)
  expect(Array.from({ length: 8 }, pause)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
  log.tried(true)
  expect(log.mayTry()).toBe(true)
  expect(pause()).toBe(1_000)
})
