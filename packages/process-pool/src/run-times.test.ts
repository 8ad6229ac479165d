import { expect, test } from 'vitest'
import { RunTimes } from './run-times.ts'

test('a kind that was never seen is taken for slow', () => {
  expect(new RunTimes().of('new').expectedMs).toBeGreaterThan(1_000)
})

test('a kind is believed to be slow after one slow job, and quick only after many quick ones', () => {
  const times = new RunTimes()
  const kind = times.of('report')
  RunTimes.learn(kind, 0.1)
  expect(kind.expectedMs).toBe(0.1)
  RunTimes.learn(kind, 1_000)
  expect(kind.expectedMs).toBeGreaterThan(400)
  RunTimes.learn(kind, 0.1)
  expect(kind.expectedMs).toBeGreaterThan(100)
  for (let i = 0; i < 100; i += 1) RunTimes.learn(kind, 0.1)
  expect(kind.expectedMs).toBeLessThan(1)
})

test('kinds are kept apart, and there is a limit to how many', () => {
  const times = new RunTimes()
  RunTimes.learn(times.of('quick'), 1)
  RunTimes.learn(times.of('slow'), 900)
  expect(times.of('quick').expectedMs).toBe(1)
  for (let i = 0; i < 10_000; i += 1) times.of(`kind ${i}`)
  expect(times.of('one too many')).toBe(times.of(undefined))
  expect(times.of('slow').expectedMs).toBe(900)
})
