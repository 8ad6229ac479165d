import { inspect } from 'node:util'
import { DateTime } from '@celery/serialization'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ErrorRegistry } from './error-registry.ts'
import { InvalidResultRecordError } from './errors.ts'
import { decodeExceptionForm, errorFromForm, exceptionForm, tracebackText } from './exception-form.ts'
import { RemoteTaskError } from './remote-task-error.ts'
import { decodeResultRecord, encodeResultRecord, readResultRecord, resultRecordData } from './result-codec.ts'
import type { ResultRecord } from './result-record.ts'
import { decodeResultTuple, encodeResultTuple, type ResultReference } from './result-tuple.ts'
import {
  ALL_STATES,
  compareStates,
  EXCEPTION_STATES,
  PROPAGATE_STATES,
  READY_STATES,
  UNREADY_STATES,
} from './states.ts'

const record: ResultRecord = {
  task_id: 'id-1',
  status: 'SUCCESS',
  result: 5,
  traceback: null,
  children: [],
  date_done: '2026-11-22T06:46:48.074150+00:00',
}

describe('result records', () => {
  test('what was written is read as it was', () => {
    const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' })
    fc.assert(
      fc.property(
        fc.record({
          task_id: name,
          status: name,
          result: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown),
          traceback: fc.option(fc.string()),
          children: fc.option(fc.constant([])),
          date_done: fc.option(fc.string()),
        }),
        fc.record({ group_id: name, parent_id: name }, { requiredKeys: [] }),
        (fields, family) => {
          const written = { ...fields, ...family }
          expect(decodeResultRecord(encodeResultRecord(written))).toEqual(written)
        },
      ),
    )
  })

  test('a result of undefined is null', () => {
    expect(decodeResultRecord(encodeResultRecord({ ...record, result: undefined })).result).toBeNull()
  })

  test.each([
    ['2026-11-22T06:46:48.074150+00:00', '2026-11-22T06:46:48.074150'],
    ['2026-11-22T06:46:48', '2026-11-22T06:46:48'],
    ['2026-11-22T07:46:48.074+01:00', '2026-11-22T06:46:48.074000'],
    ['2026-11-22T06:46:48Z', '2026-11-22T06:46:48'],
    ['0001-01-01T00:00:00+01:00', '0001-01-01T00:00:00+01:00'],
    ['lately', 'lately'],
    [null, null],
  ])('%s is %s before Celery 5.5', (date_done, older) => {
    for (const fleetVersion of ['4.3', '5.2'] as const) {
      const text = encodeResultRecord({ ...record, date_done }, { fleetVersion })
      expect(decodeResultRecord(text)).toEqual({ ...record, date_done: older })
    }
    expect(resultRecordData({ ...record, date_done })).toEqual({ ...record, date_done })
  })

  test('a time may be one where the format knows times', () => {
    const at = new Date(Date.UTC(2026, 10, 22, 6, 46, 48, 74))
    expect(readResultRecord({ ...record, date_done: at }).date_done).toBe('2026-11-22T06:46:48.074000+00:00')
    expect(readResultRecord({ ...record, date_done: new DateTime('2026-11-22T06:46:48.074150') }).date_done).toBe(
      '2026-11-22T06:46:48.074150',
    )
    for (const date_done of [new Date(Number.NaN), new Date(8.64e15)]) {
      expect(() => readResultRecord({ ...record, date_done })).toThrow(
        expect.objectContaining({ code: 'ERR_CELERY_INVALID_RESULT_RECORD', field: 'date_done' }),
      )
    }
  })

  test('what an rpc reply leaves out is null, and null groups are absent', () => {
    const text = '{"task_id": "a", "status": "STARTED", "group_id": null}'
    expect(decodeResultRecord(Buffer.from(text))).toEqual({
      task_id: 'a',
      status: 'STARTED',
      result: null,
      traceback: null,
      children: null,
      date_done: null,
    })
  })

  test('extended fields are kept', () => {
    expect(decodeResultRecord(encodeResultRecord({ ...record, worker: 'w@h', retries: 1 }))).toMatchObject({
      worker: 'w@h',
    })
  })

  test.each<[string, unknown]>([
    ['record', 5],
    ['record', null],
    ['record', 'not json'],
    ['record', '[]'],
    ['record', new Uint8Array([0xff])],
    ['record', '['.repeat(1000)],
    ['task_id', '{"status": "SUCCESS"}'],
    ['status', '{"task_id": "a", "status": 1}'],
    ['children', '{"task_id": "a", "status": "X", "children": {}}'],
    ['traceback', '{"task_id": "a", "status": "X", "traceback": 1}'],
    ['date_done', '{"task_id": "a", "status": "X", "date_done": 1}'],
    ['group_id', '{"task_id": "a", "status": "X", "group_id": {}}'],
    ['parent_id', '{"task_id": "a", "status": "X", "parent_id": "a\\nb"}'],
  ])('a bad %s is refused and named (%#)', (field, stored) => {
    expect(() => decodeResultRecord(stored)).toThrow(
      expect.objectContaining({ code: 'ERR_CELERY_INVALID_RESULT_RECORD', field }),
    )
  })

  test('any JSON gives a record or an InvalidResultRecordError', () => {
    const key = fc.constantFrom('task_id', 'status', 'result', 'children', 'traceback', 'date_done', 'group_id', 'x')
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(key, fc.jsonValue())), (value) => {
        try {
          decodeResultRecord(JSON.stringify(value))
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidResultRecordError)
        }
      }),
    )
  })
})

describe('errors', () => {
  class QuotaExceeded extends Error {
    override readonly name = 'QuotaExceeded'
    readonly limit: number
    constructor(limit: number) {
      super(`more than ${limit}`)
      this.limit = limit
    }
  }
  const registry = new ErrorRegistry().register(QuotaExceeded, {
    module: 'proj.errors',
    toArgs: (error) => [error.limit],
    fromArgs([limit]) {
      if (typeof limit !== 'number') throw new TypeError('limit')
      return new QuotaExceeded(limit)
    },
  })

  test('a registered class is built again, with the remote error as its cause', () => {
    const form = exceptionForm(new QuotaExceeded(5), registry)
    expect(form).toEqual({ exc_type: 'QuotaExceeded', exc_message: [5], exc_module: 'proj.errors' })
    const error = errorFromForm(form, registry, 'remote stack')
    expect(error).toBeInstanceOf(QuotaExceeded)
    expect(error).toMatchObject({ limit: 5, cause: { excType: 'QuotaExceeded', traceback: 'remote stack' } })
    // Where it was read here is no place of the error's.
    expect((error.cause as Error).stack).toBe('RemoteTaskError: task failed with QuotaExceeded(5)')
    expect(inspect(error.cause)).not.toMatch(/^ +at /m)
  })

  test.each([new Error('a'), new TypeError('b'), new RangeError(''), new SyntaxError('d')])(
    '%s comes back as itself',
    (error) => {
      const back = errorFromForm(exceptionForm(error, registry), registry)
      expect(back.constructor).toBe(error.constructor)
      expect(back.message).toBe(error.message)
    },
  )

  test('TypeError is what Python calls so', () => {
    expect(exceptionForm(new TypeError('b'), registry).exc_module).toBe('builtins')
  })

  test.each([
    { exc_type: 'system', exc_message: ['rm -rf /'], exc_module: 'os' },
    { exc_type: 'exec', exc_message: ['rm -rf /'], exc_module: 'child_process' },
    { exc_type: 'TypeError', exc_message: [], exc_module: 'os' },
    { exc_type: '__proto__', exc_message: [], exc_module: null },
    { exc_type: 'constructor', exc_message: [], exc_module: null },
    { exc_type: 'Function', exc_message: ['return process'], exc_module: null },
  ])('$exc_module.$exc_type is a RemoteTaskError and nothing else (H-23)', (form) => {
    const error = errorFromForm(form, registry)
    expect(error).toBeInstanceOf(RemoteTaskError)
    expect(error).toMatchObject({ excType: form.exc_type, excModule: form.exc_module, args: form.exc_message })
  })

  test('a class that does not like its arguments is not built', () => {
    const form = { exc_type: 'QuotaExceeded', exc_message: ['x'], exc_module: 'proj.errors' }
    expect(errorFromForm(form, registry)).toBeInstanceOf(RemoteTaskError)
  })

  test('a remote error that is thrown again keeps its form', () => {
    const form = { exc_type: 'KeyError', exc_message: ['boom', 3], exc_module: 'builtins' }
    const error = errorFromForm(form, registry)
    expect(error.message).toBe("task failed with KeyError('boom', 3)")
    expect(exceptionForm(error, registry)).toEqual(form)
  })

  test('a class that is not registered goes by its name', () => {
    class Unnamed extends Error {}
    expect(exceptionForm(new Unnamed('x'), registry)).toEqual({
      exc_type: 'Unnamed',
      exc_message: ['x'],
      exc_module: null,
    })
    const renamed = Object.assign(new Error('y'), { name: 'Renamed' })
    expect(exceptionForm(renamed, registry)).toEqual({ exc_type: 'Renamed', exc_message: ['y'], exc_module: null })
  })

  test('an argument that is not data becomes its repr', () => {
    const odd = new ErrorRegistry().register(QuotaExceeded, { toArgs: () => [new Map([[1, 2]]), 3] })
    expect(exceptionForm(new QuotaExceeded(1), odd).exc_message).toEqual(['{1: 2}', 3])
  })

  test('anything thrown has a form that can be stored', () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        const form = exceptionForm(thrown, registry)
        const back = decodeResultRecord(encodeResultRecord({ ...record, status: 'FAILURE', result: form })).result
        expect(errorFromForm(decodeExceptionForm(back), registry)).toBeInstanceOf(Error)
        expect(typeof tracebackText(thrown)).toBe('string')
      }),
    )
    const hostile = new Proxy(new Error('x'), {
      get() {
        throw new Error('no')
      },
    })
    expect(exceptionForm(hostile, registry).exc_type).toBe('Error')
    expect(typeof tracebackText(hostile)).toBe('string')
  })

  test('an error may have anything for its properties', () => {
    const remote = new RemoteTaskError({ exc_type: 'E', exc_message: [], exc_module: null })
    const keys = [
      'name',
      'message',
      'stack',
      'cause',
      'code',
      'constructor',
      'excType',
      'excModule',
      'args',
      'traceback',
    ]
    const value = fc.oneof(fc.anything(), fc.constant(Symbol('odd')), fc.constant(Object.create(null)))
    const properties = fc.uniqueArray(fc.tuple(fc.constantFrom(...keys), value), { selector: ([key]) => key })
    fc.assert(
      fc.property(fc.boolean(), properties, (isRemote, overrides) => {
        const thrown: Error = isRemote ? Object.create(remote) : new Error('x')
        // V8 writes the stack when it is first read, and cannot once the name is no text.
        void thrown.stack
        for (const [key, value] of overrides) Object.defineProperty(thrown, key, { value })
        const form = exceptionForm(thrown, registry)
        const traceback = tracebackText(thrown)
        expect(typeof traceback).toBe('string')
        const stored = encodeResultRecord({ ...record, status: 'FAILURE', result: form, traceback })
        const back = decodeExceptionForm(decodeResultRecord(stored).result)
        expect(errorFromForm(back, registry, traceback)).toBeInstanceOf(Error)
      }),
    )
    expect(tracebackText(Object.assign(new Error('x'), { stack: Symbol('odd') }))).toBe('Error: x')
  })

  test('a form may have text for its arguments, and no module', () => {
    expect(decodeExceptionForm({ exc_type: 'E', exc_message: 'boom' })).toEqual({
      exc_type: 'E',
      exc_message: ['boom'],
      exc_module: null,
    })
    for (const bad of [null, 'E', {}, { exc_type: 1 }, { exc_type: 'E', exc_module: 1 }]) {
      expect(() => decodeExceptionForm(bad)).toThrow(InvalidResultRecordError)
    }
  })

  test('a traceback tells of the causes, also of those in a circle', () => {
    const inner = new Error('inner')
    const outer = new Error('outer', { cause: inner })
    inner.cause = outer
    const text = tracebackText(outer)
    expect(text).toContain('Error: outer')
    expect(text).toContain('caused by: Error: inner')
    expect(tracebackText('just text')).toBe("'just text'")
  })
})

describe('result tuples', () => {
  const reference: fc.Arbitrary<ResultReference> = fc.letrec<{ node: ResultReference }>((tie) => ({
    node: fc.record({
      id: fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' }),
      parent: fc.option(tie('node'), { depthSize: 'small' }),
      children: fc.option(fc.array(tie('node'), { maxLength: 3 }), { depthSize: 'small' }),
    }),
  })).node

  test('what was written is read as it was', () => {
    fc.assert(
      fc.property(reference, (node) => {
        expect(decodeResultTuple(JSON.parse(JSON.stringify(encodeResultTuple(node))))).toEqual(node)
      }),
    )
  })

  test('a group without members is still a group', () => {
    expect(decodeResultTuple([['g', null], []])).toEqual({ id: 'g', parent: null, children: [] })
  })

  test('anything else is refused', () => {
    let deep: unknown = ['a', null]
    for (let depth = 0; depth < 20_000; depth++) deep = ['a', [deep, null]]
    for (const bad of [
      null,
      [],
      ['a', null],
      [['a'], null],
      [[1, null], null],
      [['a', null], 5],
      [['a', 5], null],
      [deep, null],
    ]) {
      expect(() => decodeResultTuple(bad)).toThrow(InvalidResultRecordError)
    }
  })
})

describe('states', () => {
  test('the stronger of two reports comes first', () => {
    const states = ['PENDING', 'RETRY', 'REJECTED', 'RECEIVED', 'STARTED', 'REVOKED', 'PROGRESS', 'FAILURE', 'SUCCESS']
    expect([...states].sort(compareStates)).toEqual([...states].reverse())
    expect(compareStates('PROGRESS', 'UPLOADING')).toBe(0)
  })

  test('TASK-088 TASK-089 TASK-090 TASK-091 are in the sets of Celery', () => {
    expect([...READY_STATES].sort()).toEqual(['FAILURE', 'REVOKED', 'SUCCESS'])
    expect([...UNREADY_STATES].sort()).toEqual(['PENDING', 'RECEIVED', 'REJECTED', 'RETRY', 'STARTED'])
    expect([...EXCEPTION_STATES].sort()).toEqual(['FAILURE', 'RETRY', 'REVOKED'])
    expect([...PROPAGATE_STATES].sort()).toEqual(['FAILURE', 'REVOKED'])
  })

  test('every state is final or not', () => {
    for (const state of ALL_STATES) expect(READY_STATES.has(state)).toBe(!UNREADY_STATES.has(state))
    for (const state of PROPAGATE_STATES) expect(EXCEPTION_STATES.has(state) && READY_STATES.has(state)).toBe(true)
  })
})
