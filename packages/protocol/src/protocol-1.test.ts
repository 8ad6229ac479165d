import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DecodeMessageHeadersOptions, decodeMessageHeaders } from './decode-message-headers.ts'
import { decodeTaskBody } from './decode-task-body.ts'
import { encodeTaskMessage, type TaskCall } from './encode-task-message.ts'
import { encodeTaskMessageV1 } from './encode-task-message-v1.ts'
import { InvalidTaskMessageError } from './errors.ts'
import type { SignatureData } from './signature-data.ts'
import type { TaskHeaders } from './task-types.ts'
import type { WireMessage } from './wire-message.ts'

const call: TaskCall = { task: 'proj.add', id: 'id-1', origin: 'gen1@host', args: [2, 3], kwargs: {} }

function message(headers: WireMessage['headers'], body: unknown = null): WireMessage {
  const text = JSON.stringify(body)
  return { body: text, contentType: 'application/json', contentEncoding: 'utf-8', headers, properties: {} }
}

function readJson({ body }: WireMessage): unknown {
  return JSON.parse(String(body))
}

function neverAsked(): never {
  throw new Error('nobody should ask for the body')
}

function decode(headers: WireMessage['headers'], body: unknown, options?: DecodeMessageHeadersOptions): TaskHeaders {
  return decodeMessageHeaders(message(headers, body), readJson, options)
}

describe('a call in protocol 1', () => {
  test('has all it says in the body', () => {
    const { headers, properties, body } = encodeTaskMessageV1({
      ...call,
      etaMs: Date.UTC(2030, 0, 2, 3, 4, 5),
      timeLimit: 9,
      groupId: 'g',
    })
    expect(headers).toEqual({})
    expect(properties).toEqual({ correlation_id: 'id-1', reply_to: '', delivery_mode: 2, priority: 0 })
    expect(body).toEqual({
      task: 'proj.add',
      id: 'id-1',
      args: [2, 3],
      kwargs: {},
      group: 'g',
      group_index: null,
      retries: 0,
      eta: '2030-01-02T03:04:05+00:00',
      expires: null,
      utc: true,
      callbacks: null,
      errbacks: null,
      timelimit: [9, null],
      taskset: 'g',
      chord: null,
    })
  })

  test('has headers of the user where they belong', () => {
    const { headers, body } = encodeTaskMessageV1({ ...call, headers: { 'x-trace': 'abc' } })
    expect(headers).toEqual({ 'x-trace': 'abc' })
    expect(decode(headers, body)).toMatchObject({ task: 'proj.add', 'x-trace': 'abc' })
  })

  test('writes the steps of a chain as callbacks of each other', () => {
    const step = (task: string, options: SignatureData['options'] = {}): SignatureData => ({
      task,
      args: [],
      kwargs: {},
      options,
      subtask_type: null,
      immutable: false,
    })
    const { body } = encodeTaskMessageV1({
      ...call,
      callbacks: [step('link')],
      chain: [step('last'), step('second', { link: [step('own')] }), step('first')],
    })
    expect(body.callbacks).toEqual([
      step('link'),
      step('first', { link: [step('second', { link: [step('own'), step('last')] })] }),
    ])
  })

  test('is decoded to what was called', () => {
    const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' })
    const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value)
    fc.assert(
      fc.property(
        fc.record({
          task: name,
          id: name,
          origin: name,
          args: fc.array(fc.jsonValue()),
          kwargs: fc.dictionary(fc.string(), fc.jsonValue()),
          groupId: maybe(name),
          groupIndex: maybe(fc.nat()),
          etaMs: fc.integer({ min: 0, max: 4e12 }),
          expiresMs: fc.integer({ min: 0, max: 4e12 }),
          timeLimit: maybe(fc.integer({ min: 1, max: 1e6 })),
          softTimeLimit: maybe(fc.integer({ min: 1, max: 1e6 })),
          retries: fc.nat(),
        }),
        (input) => {
          const first = encodeTaskMessageV1(input)
          const second = encodeTaskMessage(input)
          // What protocol 1 has no place for.
          const lost = { lang: '', origin: '', ignore_result: null }
          expect(decodeMessageHeaders({ ...message({}), body: JSON.stringify(first.body) }, readJson)).toEqual({
            ...second.headers,
            ...lost,
          })
          expect(decodeTaskBody(first.body)).toEqual(decodeTaskBody(second.body))
        },
      ),
    )
  })
})

describe('which protocol a message is of', () => {
  const body = { task: 'of.body', id: 'body-id', args: [1], kwargs: { a: 1 }, retries: 3 }

  test('a list of arguments is not asked for', () => {
    for (const bytes of ['[[], {}, {}]', Buffer.from('[[], {}, {}]')]) {
      const received = { ...message({ task: 't', id: 'i' }), body: bytes }
      expect(decodeMessageHeaders(received, neverAsked)).toMatchObject({ task: 't', id: 'i', retries: 0 })
    }
  })

  test('nor is any body where the headers say all', () => {
    const { headers } = encodeTaskMessage(call)
    const received = { ...message(headers), contentType: 'application/x-msgpack', body: Buffer.of(0x81) }
    expect(decodeMessageHeaders(received, neverAsked)).toEqual(headers)
    expect(decodeMessageHeaders({ ...message({ ...headers, compression: 'x/y' }) }, neverAsked)).toMatchObject(headers)
  })

  test('headers without a task: all is in the body', () => {
    expect(decode({}, body)).toMatchObject({
      task: 'of.body',
      id: 'body-id',
      root_id: 'body-id',
      retries: 3,
      argsrepr: '(1,)',
      kwargsrepr: "{'a': 1}",
    })
  })

  test('headers with a task: they win, and the body adds what they do not say', () => {
    const headers = decode(
      { task: 'of.headers', id: 'headers-id', eta: null },
      { ...body, eta: '2030-01-02T03:04:05Z' },
    )
    expect(headers).toMatchObject({ task: 'of.headers', id: 'headers-id', retries: 3, eta: null })
    expect(decode({ task: 'of.headers' }, body).id).toBe('body-id')
  })

  test('headers with a task, and a list after all', () => {
    const received = { ...message({ task: 't', id: 'i' }), body: ' [[], {}, {}]' }
    expect(decodeMessageHeaders(received, readJson)).toMatchObject({ task: 't', id: 'i' })
  })

  test('the name of the group may be an old one', () => {
    expect(decode({}, { ...body, taskset: 'g' }).group).toBe('g')
    expect(decode({}, { ...body, taskset: 'g', group: 'other' }).group).toBe('g')
    expect(decode({}, { ...body, taskset: null, group: 'other' }).group).toBe('other')
  })

  test('what reading the body throws comes through', () => {
    expect(() => decodeMessageHeaders(message({}, body), neverAsked)).toThrow('nobody should ask')
  })
})

describe('times in protocol 1', () => {
  const body = { task: 't', id: 'i', eta: '2030-01-02T03:04:05', expires: '2030-01-02T03:04:05+05:00' }
  const fromLocal = (localMs: number): number => localMs - 3_600_000

  test('are in UTC, as in protocol 2', () => {
    for (const utc of [undefined, null, true]) expect(decode({}, { ...body, utc }, { fromLocal })).toMatchObject(body)
  })

  test('or in the zone of the receiver, where the sender says so', () => {
    expect(decode({}, { ...body, utc: false }, { fromLocal })).toMatchObject({
      eta: '2030-01-02T02:04:05+00:00',
      expires: body.expires,
    })
  })

  test('which is that of the process by default', () => {
    const zone = process.env['TZ']
    try {
      process.env['TZ'] = 'Europe/Paris'
      expect(decode({}, { ...body, utc: false }).eta).toBe('2030-01-02T02:04:05+00:00')
      expect(decode({}, { ...body, utc: false, eta: '2030-07-02T03:04:05.678' }).eta).toBe(
        '2030-07-02T01:04:05.678000+00:00',
      )
    } finally {
      if (zone === undefined) delete process.env['TZ']
      else process.env['TZ'] = zone
    }
  })

  test('of the first and last hours there are stay as they are', () => {
    for (const eta of ['0001-01-01T00:00:00', '9999-12-31T23:59:59']) {
      const outside = (localMs: number): number => localMs + (eta.startsWith('0') ? -1 : 1) * 3_600_000
      expect(decode({}, { ...body, utc: false, eta }, { fromLocal: outside }).eta).toBe(eta)
    }
  })
})

describe('a message of protocol 1 that is no call', () => {
  const body = { task: 't', id: 'i', args: [] }

  test.each([
    ['headers.task', {}, null],
    ['headers.task', {}, []],
    ['headers.task', {}, [[], {}, {}]],
    ['headers.task', {}, 'text'],
    ['headers.task', { task: null }, body],
    ['headers.task', { task: 5 }, body],
    ['body.task', {}, {}],
    ['body.task', {}, { ...body, task: 5 }],
    ['body.id', {}, { ...body, id: undefined }],
    ['body.id', { task: 't' }, { ...body, id: {} }],
    ['headers.id', { task: 't', id: {} }, body],
    ['body.eta', {}, { ...body, eta: 1577836800 }],
    ['body.eta', {}, { ...body, eta: 'soon', utc: false }],
    ['body.eta', { task: 't', id: 'i' }, { ...body, eta: 'soon' }],
    ['headers.eta', { eta: 'soon' }, body],
    ['body.timelimit', {}, { ...body, timelimit: 7 }],
    ['body.retries', {}, { ...body, retries: -1 }],
    ['body.group', {}, { ...body, taskset: 5 }],
    ['body.utc', {}, { ...body, utc: 'yes' }],
  ])('is refused, and %s named (%#)', (field, headers, content) => {
    expect(() => decode(headers, content)).toThrow(
      expect.objectContaining({ code: 'ERR_CELERY_INVALID_TASK_MESSAGE', field }),
    )
  })

  test('any headers and any body give headers or an InvalidTaskMessageError', () => {
    const known = fc.constantFrom(...Object.keys(encodeTaskMessage(call).headers), 'taskset', 'utc', 'args', 'x')
    const fields = fc.dictionary(known, fc.jsonValue())
    const good = { task: 't', id: 'i' }
    fc.assert(
      fc.property(fields, fc.oneof(fc.jsonValue(), fields), fc.boolean(), (headers, content, isV1) => {
        const extended = typeof content === 'object' && content !== null && isV1 ? { ...good, ...content } : content
        try {
          const decoded = decode(isV1 ? headers : { ...good, ...headers }, extended)
          expect([typeof decoded.task, typeof decoded.id]).toEqual(['string', 'string'])
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidTaskMessageError)
        }
      }),
    )
  })

  test('__proto__ in headers or body sets nothing (H-13)', () => {
    const spoiled = JSON.parse('{"task": "t", "id": "i", "args": [], "__proto__": {"polluted": 1}}')
    for (const headers of [decode({}, spoiled), decode(spoiled, body), decode({ task: 't' }, spoiled)]) {
      expect(Object.getPrototypeOf(headers)).toBe(Object.prototype)
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(() => decode({}, JSON.parse('{"__proto__": {"task": "t", "id": "i"}}'))).toThrow(InvalidTaskMessageError)
  })
})
