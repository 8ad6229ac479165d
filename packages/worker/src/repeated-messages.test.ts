import { expect, test } from 'vitest'
import { RepeatedMessages } from './repeated-messages.ts'

test('says the first few, then one in 30 seconds, and begins anew after 30 seconds of silence', () => {
  let nowMs = 0
  const repeated = new RepeatedMessages(() => nowMs)
  let said = 0
  for (let n = 0; n < 1_200; n++) {
    nowMs += 50
    if (repeated.isDue('away')) said++
  }
  // 60 seconds: five at once, then at about 30 and 60.
  expect(said).toBeGreaterThanOrEqual(6)
  expect(said).toBeLessThanOrEqual(7)
  expect(repeated.isDue('something else')).toBe(true)
  nowMs += 30_000
  for (let n = 0; n < 5; n++) expect(repeated.isDue('away')).toBe(true)
  expect(repeated.isDue('away')).toBe(false)
})
