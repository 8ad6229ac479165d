import { expect, test } from 'vitest'
import { RunTimes } from './run-times.ts'

test('a kind that was never seen is taken for slow', () => {
  expect(new RunTimes().of('new').expectedMs).toBeGreaterThan(1_000)
})

test('a job that the system let wait does not make its kind a slow one, and a few slow ones do', () => {
  const kind = new RunTimes().of('report')
  for (let i = 0; i < 20; i += 1) RunTimes.learn(kind, 0.05)
  expect(kind.expectedMs).toBeCloseTo(0.05)
  // Nothing that takes a tenth of a millisecond on the whole is sent one by one.
  RunTimes.learn(kind, 4)
  expect(kind.expectedMs).toBeLessThan(0.2)
  for (let i = 0; i < 5; i += 1) RunTimes.learn(kind, 1_000)
  expect(kind.expectedMs).toBeGreaterThan(5)
})

test('a kind that has become quick is believed after a while', () => {
  const kind = new RunTimes().of('report')
  RunTimes.learn(kind, 1_000)
  for (let i = 0; i < 3; i += 1) RunTimes.learn(kind, 0.1)
  expect(kind.expectedMs).toBeGreaterThan(5)
  for (let i = 0; i < 40; i += 1) RunTimes.learn(kind, 0.1)
  expect(kind.expectedMs).toBeLessThan(0.2)
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
