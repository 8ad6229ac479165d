import { BackendUnavailableError, type ResultBackend, ResultTooLargeError, type ResultWrite } from '@celery/backend'
import { type Clock, ManualClock } from '@celery/promises'
import { expect, test } from 'vitest'
import { ResultStorer } from './result-storer.ts'

function write(taskId: string): ResultWrite {
  return { taskId, state: 'SUCCESS', record: taskId }
}

/** A store that fails as told, and what happened. */
function setUp(fail: (taskIds: readonly string[], attempt: number) => Error | undefined, clock?: Clock) {
  const log: string[] = []
  let attempt = 0
  const backend = {
    store: async (writes: readonly ResultWrite[]) => {
      const ids = writes.map(({ record }) => String(record))
      const error = fail(ids, ++attempt)
      if (error !== undefined) throw error
      log.push(`store ${ids.join()}`)
    },
  } as unknown as ResultBackend
  const storer = new ResultStorer({
    backend,
    clock,
    onError: (error) => log.push(`error ${(error as Error).name}`),
    onRefused: ({ taskId }) => {
      log.push(`refused ${taskId}`)
      return write(`instead of ${taskId}`)
    },
  })
  const add = (taskId: string): void => storer.add(write(taskId), () => log.push(`stored ${taskId}`))
  return { add, log, storer }
}

const away = new BackendUnavailableError('there', 'it is away')
const large = new ResultTooLargeError('b', 2, 1)

test('stores what comes in one turn in one go', async () => {
  const { add, log, storer } = setUp(() => undefined)
  for (const id of ['a', 'b', 'c']) add(id)
  expect(storer.pending).toBe(3)
  await storer.idle()
  expect(log).toEqual(['store a,b,c', 'stored a', 'stored b', 'stored c'])
  expect(storer.pending).toBe(0)
})

test('F-36 tries again until the store has it', async () => {
  const { add, log, storer } = setUp((_ids, attempt) => (attempt < 3 ? away : undefined))
  add('a')
  await storer.idle()
  expect(log).toEqual(['error BackendUnavailableError', 'error BackendUnavailableError', 'store a', 'stored a'])
})

test('one record that the store refuses is replaced, and keeps no other', async () => {
  const { add, log, storer } = setUp((ids) => (ids.includes('b') ? large : undefined))
  for (const id of ['a', 'b', 'c']) add(id)
  await storer.idle()
  expect(log).toEqual(['store a', 'stored a', 'refused b', 'store instead of b', 'stored b', 'store c', 'stored c'])
})

test('what is refused even then does not keep its message for ever', async () => {
  const { add, log, storer } = setUp(() => large)
  add('b')
  await storer.idle()
  expect(log).toEqual(['refused b', 'refused instead of b', 'stored b'])
})

test('closing gives up after its time and says how many it gave up', async () => {
  const { add, log, storer } = setUp(() => away)
  add('a')
  add('b')
  expect(await storer.close(30)).toBe(2)
  expect(await storer.close(0)).toBe(2)
  expect(log).not.toContain('stored a')
})

test('closing waits for what is under way', async () => {
  const { add, log, storer } = setUp((_ids, attempt) => (attempt === 1 ? away : undefined))
  add('a')
  expect(await storer.close(10_000)).toBe(0)
  expect(log.at(-1)).toBe('stored a')
})

test('closing does not wait for the next attempt, and tries again soon', async () => {
  const clock = new ManualClock()
  const { add, log, storer } = setUp((_ids, attempt) => (attempt < 8 ? away : undefined), clock)
  add('a')
  for (let pauses = 1; pauses <= 5; pauses++) {
    await clock.whenPending()
    clock.advance(1_500)
  }
  await clock.whenPending()
  const closing = storer.close(10_000)
  // The pause, and the two of the grace.
  await clock.whenPending(3)
  clock.advance(100)
  expect(await closing).toBe(0)
  expect(log.slice(-2)).toEqual(['store a', 'stored a'])
})

test('closing makes a last attempt before it gives up', async () => {
  const clock = new ManualClock()
  const { add, storer } = setUp((_ids, attempt) => (attempt < 3 ? away : undefined), clock)
  add('a')
  await clock.whenPending()
  const closing = storer.close(110)
  await clock.whenPending(3)
  clock.advance(10)
  expect(await closing).toBe(0)
})

test('closing gives up a store that does not hear of it', async () => {
  const backend = { store: () => new Promise(() => {}) } as unknown as ResultBackend
  const storer = new ResultStorer({ backend, onError: () => {}, onRefused: (refused) => refused })
  storer.add(write('a'), () => {})
  expect(await storer.close(10)).toBe(1)
})
