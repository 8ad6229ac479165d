import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { COMPOSITE_TASKS, isComposite } from './composite.ts'
import { decodeSignature } from './decode-signature.ts'
import { decodeTaskBody } from './decode-task-body.ts'
import { decodeTaskHeaders, readTaskId } from './decode-task-headers.ts'
import { encodeTaskMessage, type TaskCall } from './encode-task-message.ts'
import { InvalidTaskMessageError } from './errors.ts'

const call: TaskCall = { task: 'proj.add', id: 'id-1', origin: 'gen1@host', args: [2, 3], kwargs: {} }
const minimal = { task: 'proj.add', id: 'id-1' }

describe('a call as a message', () => {
  test('has every header of Celery 5.6, and three parts of body', () => {
    const { headers, properties, body } = encodeTaskMessage(call)
    expect(headers).toEqual({
      lang: 'js',
      task: 'proj.add',
      id: 'id-1',
      shadow: null,
      eta: null,
      expires: null,
      group: null,
      group_index: null,
      retries: 0,
      timelimit: [null, null],
      root_id: 'id-1',
      parent_id: null,
      argsrepr: '(2, 3)',
      kwargsrepr: '{}',
      origin: 'gen1@host',
      ignore_result: false,
      replaced_task_nesting: 0,
      stamped_headers: null,
      stamps: {},
    })
    expect(properties).toEqual({ correlation_id: 'id-1', reply_to: '', delivery_mode: 2, priority: 0 })
    expect(body).toEqual([[2, 3], {}, { callbacks: null, errbacks: null, chain: null, chord: null }])
  })

  test('says how long the broker may keep it, and never less than nothing', () => {
    const expiresMs = Date.UTC(2030, 0, 2)
    const { headers, properties } = encodeTaskMessage({ ...call, expiresMs, nowMs: expiresMs - 120_000 })
    expect(headers.expires).toBe('2030-01-02T00:00:00+00:00')
    expect(properties.expiration).toBe('120000')
    expect(encodeTaskMessage({ ...call, expiresMs, nowMs: expiresMs + 5 }).properties.expiration).toBe('0')
  })

  test('before 5.2, nobody told the broker to drop what has expired', () => {
    const expired = { ...call, expiresMs: Date.UTC(2030, 0, 2), properties: { extra: 7 } }
    expect(encodeTaskMessage(expired, { fleetVersion: '4.3' }).properties).not.toHaveProperty('expiration')
    expect(encodeTaskMessage(expired, { fleetVersion: '4.3' }).properties).toHaveProperty('extra', 7)
    expect(encodeTaskMessage(expired, { fleetVersion: '5.2' }).properties).toHaveProperty('expiration')
  })

  test('takes headers and properties of the user beside ours', () => {
    const { headers, properties } = encodeTaskMessage({
      ...call,
      headers: { 'x-trace': 'abc' },
      properties: { extra: 7 },
    })
    expect(headers).toMatchObject({ 'x-trace': 'abc', id: 'id-1' })
    expect(properties).toMatchObject({ extra: 7, priority: 0 })
  })

  test('is decoded to what was called', () => {
    const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' })
    const maybeName = fc.option(name)
    const time = fc.integer({ min: 0, max: 4e12 })
    const limit = fc.option(fc.integer({ min: 1, max: 1e6 }))
    fc.assert(
      fc.property(
        fc.record({
          task: name,
          id: name,
          origin: name,
          args: fc.array(fc.jsonValue()),
          kwargs: fc.dictionary(fc.string(), fc.jsonValue()),
          rootId: name,
          parentId: maybeName,
          groupId: maybeName,
          etaMs: time,
          timeLimit: limit,
          softTimeLimit: limit,
          retries: fc.nat(),
        }),
        (input) => {
          const message = encodeTaskMessage(input)
          const headers = decodeTaskHeaders(message.headers)
          expect(headers).toEqual(message.headers)
          expect(headers).toMatchObject({
            task: input.task,
            id: input.id,
            root_id: input.rootId,
            parent_id: input.parentId,
            group: input.groupId,
            retries: input.retries,
            timelimit: [input.timeLimit, input.softTimeLimit],
          })
          const body = decodeTaskBody(message.body)
          expect(body.args).toEqual(input.args)
          expect(body.kwargs).toEqual(input.kwargs)
        },
      ),
    )
  })
})

describe('headers', () => {
  test('only task and id must be there', () => {
    expect(decodeTaskHeaders(minimal)).toEqual({
      lang: '',
      task: 'proj.add',
      id: 'id-1',
      shadow: null,
      eta: null,
      expires: null,
      group: null,
      group_index: null,
      retries: 0,
      timelimit: [null, null],
      root_id: 'id-1',
      parent_id: null,
      argsrepr: '',
      kwargsrepr: '',
      origin: '',
      ignore_result: null,
      replaced_task_nesting: 0,
      stamped_headers: null,
      stamps: {},
    })
  })

  test('null is as good as absent', () => {
    const full = encodeTaskMessage(call).headers
    const nulls = Object.fromEntries(Object.keys(full).map((key) => [key, null]))
    expect(decodeTaskHeaders({ ...nulls, compression: null, ...minimal })).toEqual(decodeTaskHeaders(minimal))
  })

  test('those we do not know are kept', () => {
    expect(decodeTaskHeaders({ ...minimal, 'x-trace': [1], meth: 'y' })).toMatchObject({ 'x-trace': [1], meth: 'y' })
  })

  test('a time limit of 0 is none (H-15)', () => {
    expect(decodeTaskHeaders({ ...minimal, timelimit: [0, 0.5] }).timelimit).toEqual([null, 0.5])
  })

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('a task may be called %s (H-12)', (task) => {
    expect(decodeTaskHeaders({ ...minimal, task }).task).toBe(task)
  })

  test('__proto__ among them is data (H-13)', () => {
    const headers = decodeTaskHeaders(JSON.parse('{"task": "t", "id": "i", "__proto__": {"polluted": 1}}'))
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  const bad: [id: string, field: string, values: unknown[]][] = [
    ['H-11', 'task', [undefined, null, '', 5, 'a\nb', 'x'.repeat(256)]],
    [
      'H-14',
      'eta',
      ['garbage', 1e308, Number.NaN, {}, '99999-01-01T00:00:00', '-1', '2024-02-30T00:00:00', 1577836800],
    ],
    ['H-14', 'expires', ['garbage', 1e308, [], true, '2024-01-01T25:00:00']],
    [
      'H-15',
      'timelimit',
      ['abc', [-1, -5], [1e12, null], [1], [1, 2, 3], 7, [Number.NaN, null], [10n, null], ['1', null]],
    ],
    ['H-16', 'retries', [-1, 'abc', 2 ** 53, 1.5, 10n ** 20n, []]],
    ['H-17', 'id', [null, undefined, {}, 'x'.repeat(10_000_000), 'a\nb', 'a\0b', '', 'a\u2028b', '\ud800', 1]],
    ['H-17', 'root_id', ['a\rb', 1]],
    ['H-17', 'parent_id', [{}]],
    ['H-17', 'group', ['']],
    ['', 'group_index', [-1, 'x']],
    ['', 'ignore_result', [1, 'yes']],
    ['', 'argsrepr', [1]],
    ['', 'stamped_headers', ['x', [1]]],
    ['', 'stamps', [[], 'x']],
    ['', 'compression', [1]],
    ['', 'replaced_task_nesting', [-1]],
  ]
  test.each(bad.flatMap(([id, field, values]) => values.map((value) => [id, field, value] as const)))(
    '%s: %s is refused and named (%#)',
    (_, field, value) => {
      expect(() => decodeTaskHeaders({ ...minimal, [field]: value })).toThrow(
        expect.objectContaining({ code: 'ERR_CELERY_INVALID_TASK_MESSAGE', field: `headers.${field}` }),
      )
    },
  )

  test('what is no object is refused', () => {
    for (const value of [null, undefined, [], 'x', 1])
      expect(() => decodeTaskHeaders(value)).toThrow(InvalidTaskMessageError)
  })

  test('the message of the error is one short line (H-32)', () => {
    expect(() => decodeTaskHeaders({ ...minimal, eta: `\n\x1b[31m${'x'.repeat(1e6)}` })).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^[\x20-\x7e]{1,200}$/) }),
    )
  })

  test('any object gives headers or an InvalidTaskMessageError', () => {
    const key = fc.constantFrom(...Object.keys(encodeTaskMessage(call).headers), 'compression', 'x')
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), (changes) => {
        try {
          decodeTaskHeaders({ ...minimal, ...changes })
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidTaskMessageError)
        }
      }),
    )
  })

  test('the id of a message that is broken otherwise can be read', () => {
    expect(readTaskId({ id: 'id-1', eta: {} })).toBe('id-1')
    expect(readTaskId({ id: 5 })).toBeUndefined()
    expect(readTaskId(null)).toBeUndefined()
    expect(readTaskId({}, { id: 'id-2' })).toBe('id-2')
    expect(readTaskId({ id: 'id-1' }, { id: 'id-2' })).toBe('id-1')
    expect(readTaskId({ id: {} }, [1])).toBeUndefined()
  })
})

describe('body', () => {
  test('parts of embed, or all of it, may be missing', () => {
    const none = { callbacks: null, errbacks: null, chain: null, chord: null }
    expect(decodeTaskBody([[1], {}, null]).embed).toEqual(none)
    expect(decodeTaskBody([[1], {}, {}]).embed).toEqual(none)
    expect(decodeTaskBody([[1], {}, { chord: null }]).embed).toEqual(none)
  })

  test.each([
    ['body', { a: 1 }],
    ['body', null],
    ['body', [[], {}]],
    ['body.args', { args: {} }],
    ['body.kwargs', { args: [], kwargs: [] }],
    ['body.callbacks', { args: [], callbacks: {} }],
    ['body.errbacks[0].task', { args: [], errbacks: [{}] }],
    ['body.chord', { task: 't', chord: 5 }],
    ['body', [[], {}, {}, {}]],
    ['body.args', [{}, {}, {}]],
    ['body.kwargs', [[], [], {}]],
    ['body.embed', [[], {}, []]],
    ['body.embed.chain', [[], {}, { chain: {} }]],
    ['body.embed.callbacks[1]', [[], {}, { callbacks: [{ task: 't' }, 5] }]],
    ['body.embed.errbacks[0].task', [[], {}, { errbacks: [{}] }]],
    ['body.embed.chord', [[], {}, { chord: [] }]],
  ])('a bad %s is refused and named (H-18)', (field, body) => {
    expect(() => decodeTaskBody(body)).toThrow(expect.objectContaining({ field }))
  })

  test('an object is a call as well, its signatures beside the arguments', () => {
    const callbacks = [{ task: 't' }]
    expect(decodeTaskBody({ args: [1], kwargs: { a: 2 }, callbacks })).toEqual(
      decodeTaskBody([[1], { a: 2 }, { callbacks }]),
    )
    for (const body of [{ args: null }, { kwargs: {} }, { task: 't' }]) {
      expect(decodeTaskBody(body)).toEqual(decodeTaskBody([[], {}, null]))
    }
    expect(() => decodeTaskBody(JSON.parse('{"__proto__": {"args": []}}'))).toThrow(InvalidTaskMessageError)
  })

  test('10,000 signatures are the most', () => {
    const signatures = (count: number): unknown[] => Array.from({ length: count }, () => ({ task: 't' }))
    expect(decodeTaskBody([[], {}, { chain: signatures(10_000) }]).embed.chain).toHaveLength(10_000)
    const tooMany = [[], {}, { callbacks: signatures(5_000), chain: signatures(5_001) }]
    expect(() => decodeTaskBody(tooMany)).toThrow('at most 10000')
  })

  test('any JSON gives a body or an InvalidTaskMessageError', () => {
    const embed = fc.dictionary(fc.constantFrom('callbacks', 'errbacks', 'chain', 'chord'), fc.jsonValue())
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.tuple(fc.constant([]), fc.constant({}), embed)), (value) => {
        try {
          decodeTaskBody(value)
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidTaskMessageError)
        }
      }),
    )
  })
})

describe('signatures', () => {
  test('only the task must be there', () => {
    expect(decodeSignature({ task: 't' })).toEqual({
      task: 't',
      args: [],
      kwargs: {},
      options: {},
      subtask_type: null,
      immutable: false,
    })
  })

  test.each([
    ['time_limit', -1],
    ['soft_time_limit', 315_360_001],
    ['priority', 1.5],
    ['retries', -1],
    ['shadow', 5],
  ])('an option that no worker would take in a message is refused before: %s = %s', (option, value) => {
    expect(() => decodeSignature({ task: 'a', options: { [option]: value } })).toThrow(`signature.options.${option}`)
    expect(decodeSignature({ task: 'a', options: { [option]: null } }).options).toEqual({})
  })

  test('a single link becomes a list, and signatures in options are read', () => {
    const { options } = decodeSignature({
      task: 'a',
      options: {
        link: { task: 'b' },
        link_error: [{ task: 'c', immutable: true }],
        chord: { task: 'd', chord_size: 3 },
      },
    })
    expect(options.link?.[0]).toMatchObject({ task: 'b', args: [] })
    expect(options.link_error?.[0]).toMatchObject({ task: 'c', immutable: true })
    expect(options.chord).toMatchObject({ task: 'd', chord_size: 3 })
  })

  test('the size of a chord that is none is left out', () => {
    expect(decodeSignature({ task: 'a', chord_size: null })).not.toHaveProperty('chord_size')
  })

  test('null options are dropped where null says nothing', () => {
    const options = { queue: null, root_id: null, task_id: 'x', link: null, custom: null }
    expect(decodeSignature({ task: 'a', options }).options).toEqual({ root_id: null, task_id: 'x', custom: null })
  })

  test.each([
    ['sig.args', { args: {} }],
    ['sig.kwargs', { kwargs: [] }],
    ['sig.options', { options: [] }],
    ['sig.immutable', { immutable: 1 }],
    ['sig.subtask_type', { subtask_type: 1 }],
    ['sig.chord_size', { chord_size: -1 }],
    ['sig.options.task_id', { options: { task_id: 'a\nb' } }],
    ['sig.options.countdown', { options: { countdown: 'soon' } }],
    ['sig.options.eta', { options: { eta: 'soon' } }],
    ['sig.options.link', { options: { link: 'x' } }],
    ['sig.options.link[0].task', { options: { link: [{}] } }],
    ['sig.options.chord', { options: { chord: [] } }],
    ['sig.options.headers', { options: { headers: [] } }],
  ])('a bad %s is refused and named', (field, changes) => {
    expect(() => decodeSignature({ task: 'a', ...changes }, 'sig')).toThrow(expect.objectContaining({ field }))
  })

  test('those nested beyond any use are refused, not followed', () => {
    let signature: object = { task: 'a' }
    for (let depth = 0; depth < 20_000; depth++) signature = { task: 'a', options: { chord: signature } }
    expect(() => decodeSignature(signature)).toThrow(InvalidTaskMessageError)
  })

  test('__proto__ among the options sets nothing (H-13)', () => {
    const { options } = decodeSignature(JSON.parse('{"task": "a", "options": {"__proto__": {"polluted": 1}}}'))
    expect(Object.getPrototypeOf(options)).toBe(Object.prototype)
    expect(options['polluted']).toBeUndefined()
  })

  test('composite ones are told by their subtask_type', () => {
    expect(isComposite(decodeSignature({ task: 'a' }))).toBe(false)
    for (const [subtask_type, task] of Object.entries(COMPOSITE_TASKS)) {
      expect(isComposite(decodeSignature({ task, subtask_type }))).toBe(true)
    }
  })
})
