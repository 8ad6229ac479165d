import { InvalidResultRecordError } from '@celery/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  AsyncResult,
  EagerResult,
  GroupTupleError,
  ResultReader,
  type ResultSource,
  RevokeUnavailableError,
  resultFromTuple,
} from '../src/index.ts'
import { FakeBackend, FakeClock } from './fake-backend.ts'

function setUp(more: Partial<ResultSource> = {}) {
  const backend = new FakeBackend()
  const reader = new ResultReader({ backend: async () => backend, clock: new FakeClock(), ...more })
  return { backend, reader, result: new AsyncResult('task-1', reader) }
}

test('no handle has a then, so that awaiting one does not wait for the task', async () => {
  const { reader, result } = setUp()
  expect('then' in result).toBe(false)
  expect('then' in new EagerResult('x', reader, { state: 'SUCCESS', value: 1 })).toBe(false)
  expect(await result).toBe(result)
})

describe('asking', () => {
  test('an unknown task is PENDING and neither ready, successful nor failed', async () => {
    const { result } = setUp()
    expect(await result.state()).toBe('PENDING')
    expect(await Promise.all([result.ready(), result.successful(), result.failed()])).toEqual([false, false, false])
    expect(await result.result()).toBeNull()
  })

  test.each([
    ['STARTED', false, false, false],
    ['SUCCESS', true, true, false],
    ['FAILURE', true, false, true],
    ['REVOKED', true, false, false],
    ['PROGRESS', false, false, false],
  ])('%s: ready %s, successful %s, failed %s', async (state, ready, successful, failed) => {
    const { backend, result } = setUp()
    backend.put('task-1', state, { exc_type: 'E', exc_message: [], exc_module: null })
    expect(await Promise.all([result.ready(), result.successful(), result.failed()])).toEqual([
      ready,
      successful,
      failed,
    ])
  })

  test('a running task tells what it reported', async () => {
    const { backend, result } = setUp()
    backend.put('task-1', 'PROGRESS', { done: 3, of: 10 })
    expect(await result.info()).toEqual({ done: 3, of: 10 })
    expect(result.cached?.state).toBe('PROGRESS')
    backend.put('task-1', 'SUCCESS', 'all')
    expect(await result.info()).toBe('all')
  })

  test('a retried task tells the error that made it retry, or nothing', async () => {
    const { backend, result } = setUp()
    backend.put('task-1', 'RETRY', { exc_type: 'ValueError', exc_message: ['x'], exc_module: 'builtins' })
    expect(await result.result()).toMatchObject({ excType: 'ValueError' })
    backend.put('task-1', 'RETRY', null)
    expect(await result.result()).toBeNull()
  })

  test('the result of a failed task is its error, and its traceback is kept as text', async () => {
    const { backend, result } = setUp()
    const form = { exc_type: 'ValueError', exc_message: ['x'], exc_module: 'builtins' }
    backend.put('task-1', 'FAILURE', form, { traceback: 'Traceback …' })
    expect(await result.result()).toMatchObject({ excType: 'ValueError', taskId: 'task-1' })
    expect(await result.traceback()).toBe('Traceback …')
  })

  test.each(['2026-11-22T06:46:48.074150+00:00', '2026-11-22T06:46:48.074150'])(
    'reads the date %s as UTC',
    async (text) => {
      const { backend, result } = setUp()
      backend.put('task-1', 'SUCCESS', 1, { date_done: text })
      expect((await result.meta()).dateDone).toEqual(new Date('2026-11-22T06:46:48.074Z'))
    },
  )

  test('the extended meta of Python workers has its place', async () => {
    const { backend, result } = setUp()
    const extended = { name: 'proj.add', args: [2, 2], kwargs: { y: 1 }, worker: 'w@h', retries: 2, queue: 'celery' }
    backend.put('task-1', 'SUCCESS', 4, { ...extended, parent_id: 'p', group_id: 'g' })
    expect(await result.meta()).toMatchObject({ ...extended, parentId: 'p', groupId: 'g' })
  })

  test('children are the tasks it sent, the members of a group one by one', async () => {
    const { backend, result } = setUp()
    const group = [
      ['g', null],
      [
        [['a', null], null],
        [['b', null], null],
      ],
    ]
    backend.put('task-1', 'SUCCESS', 1, { children: [[['x', null], null], group] })
    expect((await result.children()).map((child) => child.id)).toEqual(['x', 'a', 'b'])
  })

  test('questions of one turn reach the store as one', async () => {
    const { backend, reader, result } = setUp()
    await Promise.all([result.state(), result.ready(), new AsyncResult('task-2', reader).state()])
    expect(backend.fetches).toEqual([['task-1', 'task-2']])
  })
})

describe('forgetting and revoking', () => {
  test('forget deletes the results of the whole line and what was cached', async () => {
    const { backend, reader } = setUp()
    const parent = new AsyncResult('parent', reader)
    const last = new AsyncResult('last', reader, { parent })
    backend.put('parent', 'SUCCESS', 1)
    backend.put('last', 'SUCCESS', 2)
    await last.get()
    await parent.get()
    await last.forget()
    expect(await last.state()).toBe('PENDING')
    expect(await parent.state()).toBe('PENDING')
  })

  test('revoke asks the revoker', async () => {
    const asked: unknown[] = []
    const { result } = setUp({ revoker: { revoke: async (...question) => void asked.push(question) } })
    await result.revoke({ terminate: true })
    expect(asked).toEqual([[['task-1'], { terminate: true }]])
  })

  test('revoke without a revoker says what is missing', async () => {
    await expect(setUp().result.revoke()).rejects.toBeInstanceOf(RevokeUnavailableError)
  })
})

describe('tuples', () => {
  test('a chain of three becomes the tuple that Celery writes', () => {
    const { reader } = setUp()
    const first = new AsyncResult('1', reader)
    const second = new AsyncResult('2', reader, { parent: first })
    const third = new AsyncResult('3', reader, { parent: second })
    expect(third.asTuple()).toEqual([['3', [['2', [['1', null], null]], null]], null])
    expect(JSON.parse(JSON.stringify(third))).toEqual(third.asTuple())
  })

  test('a line of any length comes back from its tuple', () => {
    const { reader } = setUp()
    fc.assert(
      fc.property(fc.array(fc.uuid(), { minLength: 1, maxLength: 20 }), (ids) => {
        const [first = '', ...rest] = ids
        let last = new AsyncResult(first, reader)
        for (const id of rest) last = new AsyncResult(id, reader, { parent: last })
        const back = resultFromTuple(JSON.parse(JSON.stringify(last)), reader)
        expect(back.asTuple()).toEqual(last.asTuple())
      }),
    )
  })

  test('the tuple of a group, and what is no tuple, are refused by name', () => {
    const { reader } = setUp()
    expect(() => resultFromTuple([['g', null], []], reader)).toThrow(GroupTupleError)
    expect(() => resultFromTuple(['g'], reader)).toThrow(InvalidResultRecordError)
  })
})

describe('EagerResult', () => {
  test('gives its value without asking the store', async () => {
    const { backend, reader } = setUp()
    const result = new EagerResult('x', reader, { state: 'SUCCESS', value: 4 })
    expect(await result.get()).toBe(4)
    expect(await Promise.all([result.state(), result.ready(), result.successful()])).toEqual(['SUCCESS', true, true])
    await result.forget()
    expect(await result.get()).toBe(4)
    expect(backend.fetches).toHaveLength(0)
  })

  test('rejects with the very error that the task threw', async () => {
    const { reader } = setUp()
    const error = new TypeError('no')
    const result = new EagerResult('x', reader, { state: 'FAILURE', error })
    await expect(result.get()).rejects.toBe(error)
    expect(await result.get({ propagate: false })).toBe(error)
    expect(await result.failed()).toBe(true)
  })

  test('may be got inside a task, where nothing can block', async () => {
    const assertMayBlock = (): never => {
      throw new Error('never')
    }
    const { reader } = setUp({ assertMayBlock })
    expect(await new EagerResult('x', reader, { state: 'SUCCESS', value: 1 }).get()).toBe(1)
  })

  test('revoking marks it', async () => {
    const { reader } = setUp()
    const result = new EagerResult('x', reader, { state: 'SUCCESS', value: 1 })
    await result.revoke()
    expect(await result.state()).toBe('REVOKED')
    await expect(result.get()).rejects.toMatchObject({ excType: 'TaskRevokedError' })
  })

  test('a task that was ignored left nothing', async () => {
    const { reader } = setUp()
    const result = new EagerResult('x', reader, { state: 'IGNORED' })
    expect(await result.get()).toBeNull()
    expect(await result.ready()).toBe(true)
  })
})
