import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assertEnvelopeSize, decodeEnvelope, type EnvelopeAddress, encodeEnvelope } from './envelope.ts'
import { InvalidEnvelopeError } from './errors.ts'
import type { WireMessage } from './wire-message.ts'

const message: WireMessage = {
  body: '[[2, "é"], {}, null]',
  contentType: 'application/json',
  contentEncoding: 'utf-8',
  headers: { task: 'proj.add', id: 'a', big: 2n ** 64n },
  properties: { correlation_id: 'a', reply_to: '', delivery_mode: 2, priority: 3 },
}
const address: EnvelopeAddress = { exchange: '', routingKey: 'celery', deliveryTag: 't1', bodyEncoding: 'base64' }

/** A good envelope with some of its parts replaced; `undefined` removes one. */
function envelope(changes: Readonly<Record<string, unknown>> = {}, properties: unknown = {}): string {
  return JSON.stringify({
    body: '[[], {}, {}]',
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: {},
    properties:
      typeof properties === 'object' && properties !== null && !Array.isArray(properties)
        ? { delivery_tag: 't', delivery_info: { exchange: '', routing_key: 'q' }, ...properties }
        : properties,
    ...changes,
  })
}

describe('encoding', () => {
  test('writes what Python needs, with the body in base64', () => {
    const parsed = JSON.parse(encodeEnvelope(message, address))
    expect(parsed).toEqual({
      body: Buffer.from(message.body as string).toString('base64'),
      'content-encoding': 'utf-8',
      'content-type': 'application/json',
      headers: { task: 'proj.add', id: 'a', big: 2 ** 64 },
      properties: {
        correlation_id: 'a',
        reply_to: '',
        delivery_mode: 2,
        priority: 3,
        delivery_info: { exchange: '', routing_key: 'celery' },
        body_encoding: 'base64',
        delivery_tag: 't1',
      },
    })
  })

  test('leaves a text body as it is where asked to, but never bytes', () => {
    const text = JSON.parse(encodeEnvelope(message, { ...address, bodyEncoding: 'none' }))
    expect(text.body).toBe(message.body)
    expect(text.properties).not.toHaveProperty('body_encoding')
    const bytes = JSON.parse(
      encodeEnvelope({ ...message, body: new Uint8Array([255]) }, { ...address, bodyEncoding: 'none' }),
    )
    expect(bytes.body).toBe('/w==')
    expect(bytes.properties.body_encoding).toBe('base64')
  })

  test('gives a message without properties those that Python needs', () => {
    expect(JSON.parse(encodeEnvelope({ ...message, properties: {} }, address)).properties).toEqual({
      priority: 0,
      delivery_info: { exchange: '', routing_key: 'celery' },
      body_encoding: 'base64',
      delivery_tag: 't1',
    })
  })

  test('gives a message that was received before its new address, and that alone', () => {
    const received = decodeEnvelope(encodeEnvelope(message, address))
    const text = encodeEnvelope(received, { exchange: 'x', routingKey: 'k', deliveryTag: 't2', bodyEncoding: 'none' })
    expect(text.match(/delivery_tag|delivery_info/g)).toHaveLength(2)
    expect(decodeEnvelope(text).properties).toMatchObject({
      delivery_tag: 't2',
      delivery_info: { exchange: 'x', routing_key: 'k' },
      correlation_id: 'a',
      priority: 3,
    })
  })

  describe('of a message that nobody would read', () => {
    const limitBytes = 16 * 1024 * 1024
    const plain = { ...address, bodyEncoding: 'none' } as const
    const room = limitBytes - encodeEnvelope({ ...message, body: '' }, plain).length
    const tooLarge = { code: 'ERR_CELERY_TASK_MESSAGE_TOO_LARGE', task: 'proj.add', limitBytes }

    test('is refused by the byte, where it is written and before', () => {
      const fits = encodeEnvelope({ ...message, body: 'x'.repeat(room) }, plain)
      expect(decodeEnvelope(fits).body).toHaveLength(room)
      const over = { ...message, body: 'x'.repeat(room + 1) }
      expect(() => encodeEnvelope(over, plain)).toThrow(
        expect.objectContaining({ ...tooLarge, sizeBytes: limitBytes + 1 }),
      )
      expect(() => assertEnvelopeSize(over, '', 'celery')).toThrow(expect.objectContaining(tooLarge))
    })

    test('counts what escapes and base64 add', () => {
      const third = Math.floor(room / 3) + 1
      for (const body of [
        '\u001f'.repeat(Math.floor(room / 6) + 1),
        'é'.repeat(room / 2 + 1),
        '"'.repeat(room / 2 + 1),
      ]) {
        expect(() => assertEnvelopeSize({ ...message, body }, '', 'celery')).toThrow(expect.objectContaining(tooLarge))
      }
      const bytes = { ...message, body: new Uint8Array(4 * third) }
      expect(() => assertEnvelopeSize(bytes, '', 'celery')).toThrow(expect.objectContaining(tooLarge))
      expect(() => assertEnvelopeSize({ ...message, body: 'x'.repeat(third) }, '', 'celery')).not.toThrow()
    })

    test('counts headers that the sender says are long', () => {
      const long = { ...message, headers: { ...message.headers, long: 'x'.repeat(limitBytes) } }
      expect(() => assertEnvelopeSize(long, '', 'celery', limitBytes)).toThrow(expect.objectContaining(tooLarge))
    })
  })

  test('what was encoded is decoded the same', () => {
    const texts = fc.string({ unit: 'binary' }).map((text) => text.toString())
    fc.assert(
      fc.property(
        fc.oneof(texts, fc.uint8Array()),
        fc.dictionary(fc.string(), fc.oneof(texts, fc.integer(), fc.constant(null)), { noNullPrototype: true }),
        fc.constantFrom<('base64' | 'none')[]>('base64', 'none'),
        fc.string({ minLength: 1 }),
        (body, headers, bodyEncoding, name) => {
          fc.pre(typeof body !== 'string' || Buffer.from(body).toString() === body)
          const sent = { ...message, body, headers }
          const got = decodeEnvelope(
            encodeEnvelope(sent, { exchange: name, routingKey: name, deliveryTag: name, bodyEncoding }),
          )
          expect(Buffer.from(got.body as string)).toEqual(Buffer.from(body as string))
          expect(got.headers).toEqual(headers)
          expect(got.properties).toMatchObject({ ...message.properties, delivery_tag: name })
        },
      ),
    )
  })
})

describe('decoding', () => {
  test('a base64 body comes out as bytes, any other as text', () => {
    expect(decodeEnvelope(envelope()).body).toBe('[[], {}, {}]')
    const { body } = decodeEnvelope(envelope({ body: '/wA=' }, { body_encoding: 'base64' }))
    expect([...(body as Uint8Array)]).toEqual([255, 0])
  })

  test('base64 in lines is read too', () => {
    const { body } = decodeEnvelope(envelope({ body: 'aGVs\r\nbG8=\n' }, { body_encoding: 'base64' }))
    expect(Buffer.from(body as Uint8Array).toString()).toBe('hello')
  })

  test('what Python takes for granted may be missing or null', () => {
    const { contentEncoding, headers, properties } = decodeEnvelope(
      envelope(
        { 'content-encoding': undefined, headers: null },
        { priority: null, reply_to: null, body_encoding: null, custom: null },
      ),
    )
    expect(contentEncoding).toBe('utf-8')
    expect(headers).toEqual({})
    expect(properties).not.toHaveProperty('priority')
    expect(properties).not.toHaveProperty('reply_to')
    expect(properties['custom']).toBeNull()
  })

  test('__proto__ in headers is data (H-13)', () => {
    const { headers } = decodeEnvelope(envelope().replace('"headers":{}', '"headers":{"__proto__":{"polluted":1}}'))
    expect(Object.getPrototypeOf(headers)).toBe(Object.prototype)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test.each<[string, string | Uint8Array]>([
    ['H-01 text that is no JSON', 'not json'],
    ['H-01 nothing', ''],
    ['H-01 bytes that are no JSON', new Uint8Array([0, 1, 2])],
    ['H-02 null', 'null'],
    ['H-02 a list', '[]'],
    ['H-02 a number', '1'],
    ['H-02 a string', '"x"'],
    ['H-03 nothing in it', '{}'],
    ['H-03 no properties', envelope({ properties: undefined })],
    ['H-03 no body', envelope({ body: undefined })],
    ['H-03 no content type', envelope({ 'content-type': null })],
    ['H-03 no delivery_info', envelope({}, { delivery_info: undefined })],
    ['H-03 delivery_info without address', envelope({}, { delivery_info: {} })],
    ['H-03 no delivery_tag', envelope({}, { delivery_tag: undefined })],
    ['H-03 headers that are a list', envelope({ headers: [] })],
    ['H-03 properties that are a list', envelope({}, [])],
    ['H-04 200,000 lists in each other', '['.repeat(200_000) + ']'.repeat(200_000)],
    ['H-05 invalid UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])],
    ['H-07 an unknown body encoding', envelope({}, { body_encoding: 'rot13' })],
    ['H-07 base64 that is none', envelope({ body: '@@@' }, { body_encoding: 'base64' })],
    ['H-07 base64 cut off', envelope({ body: 'aGVsbG8' }, { body_encoding: 'base64' })],
    ['a priority that is text', envelope({}, { priority: '5' })],
    ['a delivery mode there is not', envelope({}, { delivery_mode: 3 })],
    ['an object for correlation id', envelope({}, { correlation_id: {} })],
    [
      'a redelivered flag that is text',
      envelope({}, { delivery_info: { exchange: '', routing_key: '', redelivered: 'x' } }),
    ],
  ])('%s is refused', (_, payload) => {
    expect(() => decodeEnvelope(payload)).toThrow(InvalidEnvelopeError)
  })

  test('the size is limited before anything is parsed (H-06)', () => {
    const text = envelope({ body: 'é'.repeat(100) })
    expect(() => decodeEnvelope(text, { maxSizeBytes: text.length })).toThrow('larger than')
    expect(() => decodeEnvelope(Buffer.from(text), { maxSizeBytes: text.length })).toThrow('larger than')
    expect(decodeEnvelope(text, { maxSizeBytes: text.length + 100 }).body).toHaveLength(100)
    expect(() => decodeEnvelope('x'.repeat(16 * 1024 * 1024 + 1))).toThrow('larger than 16777216 bytes')
  })

  test('the depth is limited', () => {
    expect(() => decodeEnvelope(envelope({ headers: { a: [[[]]] } }), { maxDepth: 4 })).toThrow(InvalidEnvelopeError)
    expect(decodeEnvelope(envelope({ headers: { a: [[]] } }), { maxDepth: 4 }).headers).toEqual({ a: [[]] })
  })

  test('any part replaced by any JSON value gives a message or an InvalidEnvelopeError', () => {
    const key = fc.constantFrom('body', 'content-type', 'content-encoding', 'headers', 'properties')
    const property = fc.constantFrom(
      'delivery_tag',
      'delivery_info',
      'body_encoding',
      'priority',
      'delivery_mode',
      'reply_to',
    )
    fc.assert(
      fc.property(fc.dictionary(key, fc.jsonValue()), fc.dictionary(property, fc.jsonValue()), (parts, properties) => {
        try {
          decodeEnvelope(envelope(parts, properties))
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidEnvelopeError)
        }
      }),
    )
  })

  test('any bytes give a message or an InvalidEnvelopeError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string(), fc.json()), (payload) => {
        try {
          decodeEnvelope(payload)
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidEnvelopeError)
        }
      }),
    )
  })
})
