import { ManualClock } from '@celery/promises'
import { expect, test } from 'vitest'
import type { ActiveTask } from './active-task.ts'
import { RateLimits } from './rate-limits.ts'

function setUp(options: { readonly maxWaiting?: number; readonly canPark?: boolean } = {}) {
  const clock = new ManualClock()
  const start = clock.now()
  const submitted: string[] = []
  const parked: [string, number][] = []
  const limits = new RateLimits({
    clock,
    maxWaiting: options.maxWaiting ?? 2,
    submit: ({ id }) => void submitted.push(id),
    park: options.canPark === false ? undefined : ({ id }, untilMs) => void parked.push([id, untilMs - start]),
  })
  const admit = (id: string, perSecond: number, name = 'task'): void =>
    limits.admit({ id, name } as ActiveTask, perSecond)
  return { admit, clock, limits, parked, submitted }
}

test('the first task starts at once, the next ones when it is their turn', () => {
  const { admit, clock, limits, submitted } = setUp()
  for (const id of ['a', 'b', 'c']) admit(id, 10)
  expect(submitted).toEqual(['a'])
  expect(limits.tasks.map(({ id }) => id)).toEqual(['b', 'c'])
  clock.advance(99)
  expect(submitted).toEqual(['a'])
  clock.advance(1)
  expect(submitted).toEqual(['a', 'b'])
  clock.advance(100)
  expect(submitted).toEqual(['a', 'b', 'c'])
  expect(limits.waiting).toBe(0)
})

test('a pause earns one start and no more', () => {
  const { admit, clock, submitted } = setUp()
  admit('a', 10)
  clock.advance(10_000)
  for (const id of ['b', 'c']) admit(id, 10)
  expect(submitted).toEqual(['a', 'b'])
})

test('each task has a limit of its own', () => {
  const { admit, submitted } = setUp()
  admit('a', 0.1, 'one')
  admit('b', 0.1, 'other')
  expect(submitted).toEqual(['a', 'b'])
})

test('those for which there is no room here are parked, each until its own turn', () => {
  const { admit, parked } = setUp({ maxWaiting: 2 })
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) admit(id, 10)
  expect(parked).toEqual([
    ['d', 300],
    ['e', 400],
    ['f', 500],
  ])
})

test('what waits under all limits together has its bound', () => {
  const { admit, limits, parked } = setUp({ maxWaiting: 2 })
  for (const name of ['one', 'two', 'three']) for (const id of ['first', 'second']) admit(`${name} ${id}`, 10, name)
  expect(limits.waiting).toBe(2)
  expect(parked).toEqual([['three second', 100]])
})

test('one whose turn is not soon takes no room, and comes back within a minute', () => {
  const { admit, limits, parked } = setUp()
  for (const id of ['a', 'b', 'c']) admit(id, 1 / 40)
  expect(limits.waiting).toBe(0)
  expect(parked).toEqual([
    ['b', 40_000],
    ['c', 60_000],
  ])
  admit('d', 1 / 40)
  expect(parked.at(-1)).toEqual(['d', 60_000])
})

test('where the broker cannot park, all wait here', () => {
  const { admit, clock, limits, submitted } = setUp({ canPark: false, maxWaiting: 1 })
  for (const id of ['a', 'b', 'c', 'd']) admit(id, 0.5)
  expect(limits.waiting).toBe(3)
  clock.advance(2_000)
  expect(submitted).toEqual(['a', 'b'])
})

test('what is released does not start any more', () => {
  const { admit, clock, limits, submitted } = setUp()
  for (const id of ['a', 'b', 'c']) admit(id, 10)
  expect(limits.release().map(({ id }) => id)).toEqual(['b', 'c'])
  expect(limits.waiting).toBe(0)
  clock.advance(1_000)
  expect(submitted).toEqual(['a'])
})
