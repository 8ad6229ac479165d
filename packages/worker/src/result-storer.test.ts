import { setImmediate as nextTurn } from 'node:timers/promises'
import { BackendUnavailableError, type ResultBackend, ResultTooLargeError, type ResultWrite } from '@celery/backend'
import { type Clock, deferred, ManualClock } from '@celery/promises'
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
    onRoom: () => log.push('room'),
    onError: (error) => log.push(`error ${(error as Error).name}`),
    onRefused: ({ taskId }) => {
      log.push(`refused ${taskId}`)
      return write(`instead of ${taskId}`)
    },
  })
  const add = (taskId: string): void => storer.add(write(taskId), () => void log.push(`stored ${taskId}`))
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

test('P-11 has no room when four windows of records wait for a store that fails, and tells when it has them', async () => {
  const clock = new ManualClock()
  const { add, log, storer } = setUp((_ids, attempt) => (attempt < 2 ? away : undefined), clock)
  for (let record = 0; record < 7; record++) add(String(record))
  expect([storer.room(1), storer.trouble]).toEqual([1_993, undefined])
  await clock.whenPending()
  expect([storer.room(2), storer.room(1), storer.trouble]).toEqual([1, 0, away.message])
  add('8')
  expect(storer.room(2)).toBe(0)
  clock.advance(1_500)
  await storer.idle()
  expect(log.filter((line) => line === 'room')).toEqual(['room'])
  expect([storer.room(0), storer.trouble]).toEqual([Infinity, undefined])
})

test('P-11 has no room when four windows of records wait for a store that does not answer', async () => {
  const clock = new ManualClock()
  const answer = deferred()
  const backend = { store: () => answer.promise } as unknown as ResultBackend
  const storer = new ResultStorer({ backend, clock, onError: () => {}, onRefused: (refused) => refused })
  for (let record = 0; record < 4; record++) storer.add(write(String(record)), () => {})
  await nextTurn()
  expect(storer.room(1)).toBe(1_996)
  clock.advance(2_000)
  expect([storer.room(2), storer.room(1), storer.trouble]).toEqual([4, 0, 'it has not answered for 2.0 s'])
  answer.resolve()
  await storer.idle()
  expect([storer.room(1), storer.trouble]).toEqual([Infinity, undefined])
})

test('P-11 has no room behind a store that answers, too, when memory holds enough', async () => {
  const { add, storer } = setUp(() => undefined)
  for (let record = 0; record < 1_999; record++) add(String(record))
  expect(storer.room(1)).toBe(1)
  add('one more')
  expect(storer.room(10_000)).toBe(0)
  await storer.idle()
  storer.add({ ...write('large'), record: new Uint8Array(16 * 1024 * 1024) }, () => {})
  expect(storer.room(10_000)).toBe(0)
  await storer.idle()
  expect(storer.room(10_000)).toBe(Infinity)
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
