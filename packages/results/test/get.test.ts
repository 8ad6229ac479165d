import { deferred } from '@celery/promises'
import { ErrorRegistry, InvalidResultRecordError, RemoteTaskError } from '@celery/protocol'
import { describe, expect, test } from 'vitest'
import {
  AsyncResult,
  ResultReader,
  ResultReaderClosedError,
  type ResultSource,
  ResultTimeoutError,
} from '../src/index.ts'
import { FakeBackend, FakeClock } from './fake-backend.ts'

const BOOM = { exc_type: 'KeyError', exc_message: ['boom', 3], exc_module: 'builtins' }

function setUp(more: Partial<ResultSource> = {}) {
  const backend = new FakeBackend()
  const clock = new FakeClock()
  const reader = new ResultReader({ backend: async () => backend, clock, ...more })
  return { backend, clock, reader, result: new AsyncResult<number>('task-1', reader) }
}

describe('get', () => {
  test('resolves to a value that is there already, without watching', async () => {
    const { backend, result } = setUp()
    backend.put('task-1', 'SUCCESS', 8)
    expect(await result.get()).toBe(8)
    expect(backend.watchesOpened).toBe(0)
  })

  test('waits for a value that comes later, and ends its watch', async () => {
    const { backend, reader, result } = setUp()
    const got = result.get()
    await backend.watched
    backend.put('task-1', 'STARTED', { pid: 1 })
    backend.put('task-1', 'SUCCESS', 8)
    expect(await got).toBe(8)
    await reader.close()
    expect(backend.watches.size).toBe(0)
  })

  test('of a task that was sent just now watches first, and still finds what is there already', async () => {
    const { backend, reader } = setUp()
    const fresh = (id: string) => new AsyncResult<number>(id, reader, { sent: { task: 'add' } })
    backend.put('task-1', 'SUCCESS', 8)
    expect(await fresh('task-1').get()).toBe(8)
    expect(backend.fetches).toHaveLength(1)
    expect(backend.watchesOpened).toBe(1)
    await expect(fresh('task-2').get({ timeout: 0 })).rejects.toThrow(ResultTimeoutError)
    expect(backend.watchesOpened).toBe(1)
  })

  test('of a task that was sent a while ago looks first', async () => {
    const { backend, clock, reader } = setUp()
    const result = new AsyncResult<number>('task-1', reader, { sent: { task: 'add' } })
    clock.advance(5)
    backend.put('task-1', 'SUCCESS', 8)
    expect(await result.get()).toBe(8)
    expect(backend.watchesOpened).toBe(0)
  })

  test('H-23: fails alone where what is stored is no record, whoever asks in the same turn', async () => {
    const { backend, reader, result } = setUp()
    backend.put('task-1', 'SUCCESS', 8)
    backend.putText('spoilt', undefined, 'not a record')
    const spoilt = expect(new AsyncResult('spoilt', reader).get()).rejects
    expect(await result.get()).toBe(8)
    await spoilt.toMatchObject({ code: 'ERR_CELERY_UNREADABLE_RECORD', taskId: 'spoilt' })
    expect(backend.fetches).toEqual([['spoilt', 'task-1']])
  })

  test('misses nothing that is stored between its look and its watch', async () => {
    const { backend, result } = setUp()
    backend.afterFetch = () => {
      if (backend.fetches.length === 1) backend.put('task-1', 'SUCCESS', 8)
    }
    expect(await result.get()).toBe(8)
    expect(backend.fetches).toHaveLength(2)
  })

  test('misses nothing that is stored while it looks again', async () => {
    const { backend, result } = setUp()
    backend.afterFetch = () => {
      if (backend.fetches.length === 2) backend.put('task-1', 'SUCCESS', 8)
    }
    expect(await result.get()).toBe(8)
    expect(backend.fetches).toHaveLength(3)
  })

  test('keeps waiting through a state that something follows', async () => {
    const { backend, result } = setUp()
    const got = result.get()
    await backend.watched
    backend.put('task-1', 'RETRY', BOOM)
    backend.put('task-1', 'SUCCESS', 1)
    expect(await got).toBe(1)
  })

  test('rejects with the error of the task, its traceback and its id', async () => {
    const { backend, result } = setUp()
    backend.put('task-1', 'FAILURE', BOOM, { traceback: 'Traceback: line 7' })
    const error = await result.get().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(RemoteTaskError)
    expect(error).toMatchObject({
      excType: 'KeyError',
      args: ['boom', 3],
      traceback: 'Traceback: line 7',
      taskId: 'task-1',
    })
  })

  test('rejects with an error of a registered class', async () => {
    class PaymentError extends Error {}
    const { backend, result } = setUp({ errors: new ErrorRegistry().register(PaymentError) })
    backend.put('task-1', 'FAILURE', { exc_type: 'PaymentError', exc_message: ['no money'], exc_module: null })
    const error = await result.get().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(PaymentError)
    expect(error).toMatchObject({ message: 'no money', taskId: 'task-1', cause: { excType: 'PaymentError' } })
  })

  test('rejects for a revoked task', async () => {
    const { backend, result } = setUp()
    const form = { exc_type: 'TaskRevokedError', exc_message: ['expired'], exc_module: 'celery.exceptions' }
    backend.put('task-1', 'REVOKED', form)
    await expect(result.get()).rejects.toMatchObject({ excType: 'TaskRevokedError', args: ['expired'] })
  })

  test('resolves to the error where propagate is false', async () => {
    const { backend, result } = setUp()
    backend.put('task-1', 'FAILURE', BOOM)
    expect(await result.get({ propagate: false })).toBeInstanceOf(RemoteTaskError)
  })

  test('a failure without a readable error still rejects, and leaves the state readable', async () => {
    const { backend, result } = setUp()
    backend.put('task-1', 'FAILURE', 'it broke')
    await expect(result.get()).rejects.toBeInstanceOf(InvalidResultRecordError)
    expect(await result.state()).toBe('FAILURE')
  })

  test('resolves to null at once where the sender asked for no result', async () => {
    const { backend, reader } = setUp()
    const ignored = new AsyncResult('task-1', reader, { ignored: true })
    expect(await ignored.get()).toBeNull()
    expect(backend.fetches).toHaveLength(0)
  })

  test('asks the store no more once the result is final', async () => {
    const { backend, result } = setUp()
    backend.put('task-1', 'SUCCESS', 8)
    await result.get()
    await result.get()
    expect(await result.state()).toBe('SUCCESS')
    expect(backend.fetches).toHaveLength(1)
  })

  test('rejects with what the store throws', async () => {
    const { backend, reader, result } = setUp()
    const got = result.get()
    await backend.watched
    backend.fetchError = new Error('store down')
    backend.put('task-1', 'STARTED', null)
    await expect(got).rejects.toThrow('store down')
    await reader.close()
    expect(backend.watches.size).toBe(0)
  })

  test('a record that cannot be read fails its own reader only', async () => {
    const { backend, reader, result } = setUp()
    backend.putText('task-1', 'SUCCESS', 'not json')
    backend.put('task-2', 'SUCCESS', 2)
    const [first, second] = await Promise.allSettled([result.get(), new AsyncResult('task-2', reader).get()])
    expect(first).toMatchObject({ status: 'rejected' })
    expect(second).toEqual({ status: 'fulfilled', value: 2 })
  })

  test('inside a task it is refused where the application says so, unless allowed', async () => {
    const assertMayBlock = (): never => {
      throw new Error('never wait for a task inside a task')
    }
    const { backend, result } = setUp({ assertMayBlock })
    backend.put('task-1', 'SUCCESS', 8)
    await expect(result.get()).rejects.toThrow('never wait')
    expect(await result.get({ disableSyncSubtasks: false })).toBe(8)
  })
})

describe('giving up', () => {
  test('rejects after the timeout with the id, the seconds, the state and a hint, and ends its watch', async () => {
    const { backend, clock, reader, result } = setUp()
    const got = result.get({ timeout: 10 })
    await backend.watched
    clock.advance(9_999)
    expect(backend.watches.size).toBe(1)
    clock.advance(1)
    const error = await got.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ResultTimeoutError)
    expect(error).toMatchObject({ taskId: 'task-1', timeout: 10, state: 'PENDING', code: 'ERR_CELERY_RESULT_TIMEOUT' })
    expect((error as Error).message).toMatch(/task-1 after 10 s.*is a worker running/)
    await reader.close()
    expect(backend.watches.size).toBe(0)
  })

  test('names the last state that was seen', async () => {
    const { backend, clock, result } = setUp()
    backend.put('task-1', 'STARTED', null)
    const got = result.get({ timeout: 1 })
    await backend.watched
    clock.advance(1_000)
    await expect(got).rejects.toMatchObject({ state: 'STARTED' })
  })

  test('does not say of a store that is being opened that nobody can reach it', async () => {
    const opening = deferred()
    const { clock, result } = setUp({ backend: () => opening.promise.then(() => new FakeBackend()) })
    const got = result.get({ timeout: 0.01 })
    clock.advance(10)
    await expect(got).rejects.toMatchObject({
      state: undefined,
      message:
        'no result of task task-1 after 0.01 s: the result store had not answered by then; wait longer, or see whether it is reachable',
    })
    opening.resolve()
  })

  test('a timeout of zero looks once', async () => {
    const { backend, result } = setUp()
    await expect(result.get({ timeout: 0 })).rejects.toBeInstanceOf(ResultTimeoutError)
    backend.put('task-1', 'SUCCESS', 8)
    expect(await result.get({ timeout: 0 })).toBe(8)
    expect(backend.watchesOpened).toBe(0)
  })

  test.each([
    ['10', "'10'"],
    [null, 'null'],
    [Number.NaN, 'NaN'],
  ])('a timeout of %o is refused', async (timeout, shown) => {
    const { backend, result } = setUp()
    await expect(result.get({ timeout: timeout as number })).rejects.toThrow(
      new TypeError(`the timeout of get() must be a number of seconds, not ${shown}`),
    )
    expect(backend.watchesOpened).toBe(0)
  })

  test('an endless timeout is no timeout', async () => {
    const { backend, clock, result } = setUp()
    const got = result.get({ timeout: Number.POSITIVE_INFINITY })
    await backend.watched
    expect(clock.pending).toBe(0)
    backend.put('task-1', 'SUCCESS', 8)
    expect(await got).toBe(8)
  })

  test('times out although the store does not answer, and a watch that opens too late is ended', async () => {
    const { backend, clock, reader, result } = setUp()
    const gate = deferred()
    let opened = 0
    backend.afterFetch = () => {
      backend.gate = gate.promise
      opened += 1
    }
    const got = result.get({ timeout: 1 })
    await expect.poll(() => opened).toBe(1)
    clock.advance(1_000)
    await expect(got).rejects.toBeInstanceOf(ResultTimeoutError)
    gate.resolve()
    await reader.close()
    expect(backend.watches.size).toBe(0)
  })

  test('rejects with the reason of its signal, and leaves no timer', async () => {
    const { backend, clock, result } = setUp()
    const controller = new AbortController()
    const got = result.get({ timeout: 10, signal: controller.signal })
    await backend.watched
    controller.abort(new Error('not wanted any more'))
    await expect(got).rejects.toThrow('not wanted any more')
    expect(clock.pending).toBe(0)
    await expect(result.get({ signal: controller.signal })).rejects.toThrow('not wanted any more')
  })

  test('closing the reader ends all waiting', async () => {
    const { backend, reader, result } = setUp()
    const got = result.get()
    await backend.watched
    await reader.close()
    await expect(got).rejects.toBeInstanceOf(ResultReaderClosedError)
    await expect(result.state()).rejects.toBeInstanceOf(ResultReaderClosedError)
    expect(backend.watches.size).toBe(0)
  })

  test('a watch that cannot be ended is reported and holds nobody up', async () => {
    const reported: unknown[] = []
    const { backend, result, reader } = setUp({ onError: (error) => reported.push(error) })
    backend.releaseError = new Error('connection lost')
    const got = result.get()
    await backend.watched
    backend.put('task-1', 'SUCCESS', 8)
    expect(await got).toBe(8)
    await reader.close()
    expect(reported).toEqual([backend.releaseError])
  })

  test('an interval reads the store though it told of no change', async () => {
    const { backend, clock, result } = setUp()
    const got = result.get({ interval: 0.5 })
    await backend.watched
    await expect.poll(() => clock.pending).toBe(1)
    for (const watch of backend.watches) backend.watches.delete(watch) // it has gone deaf
    backend.put('task-1', 'SUCCESS', 8)
    clock.advance(500)
    expect(await got).toBe(8)
  })
})

describe('a chain', () => {
  function line(reader: ResultReader): AsyncResult {
    const first = new AsyncResult('first', reader)
    const second = new AsyncResult('second', reader, { parent: first })
    return new AsyncResult('third', reader, { parent: second })
  }

  test('waiting for its last step ends with the error of the first, which it will never get past', async () => {
    const { backend, reader } = setUp()
    const got = line(reader).get()
    await backend.watched
    backend.put('first', 'FAILURE', BOOM)
    await expect(got).rejects.toMatchObject({ excType: 'KeyError', taskId: 'first' })
  })

  test('a step that was revoked ends it too', async () => {
    const { backend, reader } = setUp()
    backend.put('second', 'REVOKED', { exc_type: 'TaskRevokedError', exc_message: ['revoked'], exc_module: null })
    await expect(line(reader).get()).rejects.toMatchObject({ taskId: 'second' })
  })

  test('the whole line is asked and watched at once', async () => {
    const { backend, reader } = setUp()
    const got = line(reader).get()
    await backend.watched
    expect([...backend.watches][0]?.ids).toEqual(['first', 'second', 'third'])
    backend.put('first', 'SUCCESS', 1)
    backend.put('second', 'SUCCESS', 2)
    backend.put('third', 'SUCCESS', 3)
    expect(await got).toBe(3)
    expect(backend.fetches.every((ids) => ids.length === 3)).toBe(true)
  })

  test('its own result counts more than what a step left', async () => {
    const { backend, reader } = setUp()
    backend.put('first', 'FAILURE', BOOM)
    backend.put('third', 'SUCCESS', 3)
    expect(await line(reader).get()).toBe(3)
  })

  test('the error of a step is not kept as its own', async () => {
    const { backend, reader } = setUp()
    backend.put('first', 'FAILURE', BOOM)
    const last = line(reader)
    await expect(last.get()).rejects.toThrow()
    expect(await last.state()).toBe('PENDING')
  })

  test('followParents: false waits for the last step alone', async () => {
    const { backend, reader } = setUp()
    backend.put('first', 'FAILURE', BOOM)
    const got = line(reader).get({ followParents: false })
    await backend.watched
    backend.put('third', 'SUCCESS', 3)
    expect(await got).toBe(3)
  })
})

test('a thousand results waited for together cost one watch and a few reads', async () => {
  const { backend, reader } = setUp()
  const ids = Array.from({ length: 1_000 }, (_, index) => `task-${index}`)
  const all = Promise.all(ids.map((id) => new AsyncResult<number>(id, reader).get()))
  await backend.watched
  for (const [index, id] of ids.entries()) backend.put(id, 'SUCCESS', index)
  expect(await all).toEqual(ids.map((_, index) => index))
  expect(backend.watchesOpened).toBe(1)
  expect(backend.fetches.length).toBeLessThanOrEqual(3)
  await reader.close()
  expect(backend.watches.size).toBe(0)
})
