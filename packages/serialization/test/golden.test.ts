import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  CompressionRegistry,
  DateTime,
  Decimal,
  type EncodedBody,
  type FleetVersion,
  PlainDate,
  parseJson,
  pickleSerializer,
  SerializerRegistry,
  TimeDelta,
  TimeOfDay,
  Uuid,
} from '../src/index.ts'
import { pythonRepr } from './python-repr.ts'

interface Recorded {
  readonly content_type?: string
  readonly content_encoding?: string
  readonly payload?: string | { readonly base64: string }
  readonly decoded_repr?: string
  readonly dumps_error?: string
  readonly loads_error?: string
}

interface Values {
  readonly serializers: Readonly<Record<string, Readonly<Record<string, Recorded>>>>
}

interface Compressions {
  readonly payload: string
  readonly encoders: Readonly<Record<string, { readonly base64: string; readonly first_bytes_hex: string }>>
  readonly aliases: Readonly<Record<string, string>>
}

interface Registered {
  readonly name_to_type: Readonly<Record<string, string>>
  readonly encoders: Readonly<Record<string, readonly [type: string, encoding: string]>>
}

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`golden/serialization/${name}.json`, import.meta.url), 'utf8')) as T
}

/** What the recorded values are in JavaScript. */
const VALUES: ReadonlyMap<string, unknown> = new Map<string, unknown>(
  Object.entries({
    null: null,
    true: true,
    int: 42,
    int_big: 2n ** 70n,
    int_53: 2n ** 53n + 1n,
    int64_min: -(2n ** 63n),
    float: 1.5,
    float_int: 1,
    float_exp: 1e100,
    nan: Number.NaN,
    inf: Number.POSITIVE_INFINITY,
    str: 'hello',
    str_unicode: 'é€😀',
    str_ctrl: 'a\nb\0',
    str_surrogate: '\ud800',
    list: [1, 'a'],
    tuple: [1, 2],
    dict: { a: 1, b: { c: null } },
    dict_int_keys: new Map([[1, 'a']]),
    dict_none_key: new Map([[null, 1]]),
    set: new Set([1]),
    namedtuple: [1, 2],
    bytes_ascii: Uint8Array.of(97, 98, 99),
    bytes_utf8: Uint8Array.of(0xc3, 0xa9),
    bytes_binary: Uint8Array.of(255, 0, 1),
    bytearray: Uint8Array.of(97, 98, 99),
    memoryview: Uint8Array.of(97, 98, 99),
    datetime_naive: new DateTime('2024-01-02T03:04:05'),
    datetime_naive_us: new DateTime('2024-01-02T03:04:05.678901'),
    datetime_utc: new DateTime('2024-01-02T03:04:05.678901+00:00'),
    datetime_offset: new DateTime('2024-01-02T03:04:05+05:30'),
    datetime_pytz: new DateTime('2024-07-01T12:00:00+02:00'),
    datetime_zoneinfo: new DateTime('2024-07-01T12:00:00+02:00'),
    date: new PlainDate('2024-01-02'),
    time: new TimeOfDay('03:04:05'),
    time_us: new TimeOfDay('03:04:05.678901'),
    timedelta: new TimeDelta(1, 2, 3),
    decimal: new Decimal('1.10'),
    decimal_nan: new Decimal('NaN'),
    uuid4: new Uuid('12345678-1234-4234-8234-123456789abc'),
    uuid1: new Uuid('12345678-1234-1234-8234-123456789abc'),
    with_json: { toJSON: () => ({ custom: 1 }) },
    exception: new Error('x'),
    object: Symbol('object'),
  }),
)

/** Where JavaScript has fewer types than Python, or more: what is read, or written, is not quite the same. */
const READ_AS: ReadonlyMap<string, string> = new Map([
  ['float_int', '1'],
  ['pickle tuple', '[1, 2]'],
  ['pickle bytearray', "b'abc'"],
  ['pickle datetime_pytz', pythonRepr(VALUES.get('datetime_pytz'))],
  ['pickle datetime_zoneinfo', pythonRepr(VALUES.get('datetime_zoneinfo'))],
])
const WRITTEN_FROM: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['json dict_int_keys', { 1: 'a' }],
  ['json dict_none_key', { null: 1 }],
])
/** Python cannot write these and we can, since they are bytes, arrays or plain objects here. */
const ONLY_OURS = new Set([
  'yaml namedtuple',
  'yaml bytearray',
  'yaml memoryview',
  'pickle memoryview',
  'yaml with_json',
  'msgpack with_json',
  '5.6 json bytearray',
  '5.6 json memoryview',
])
/** Instances of classes of the recording program, which no one else can have. */
const FOREIGN_CLASSES = new Set(['namedtuple', 'enum', 'with_json', 'exception', 'object'])

describe.each(['4.3', '5.2', '5.6'] as const satisfies FleetVersion[])('Celery %s', (version) => {
  const { raw_or_none: plain, ...serializers } = golden<Values>(`values-${version}`).serializers
  const registry = new SerializerRegistry({ fleetVersion: version }).register('pickle', pickleSerializer())
  const accept = registry.acceptList(['json', 'yaml', 'msgpack', 'pickle'])
  beforeAll(async () => {
    for (const name of ['yaml', 'msgpack', 'pickle']) await registry.load(name)
  })

  function decode({ payload, content_type = '', content_encoding }: Recorded): unknown {
    const body = typeof payload === 'object' ? Buffer.from(payload.base64, 'base64') : payload!
    return registry.decode(body, content_type, content_encoding, { accept })
  }

  const cases = Object.entries(serializers).flatMap(([serializer, recorded]) =>
    Object.entries(recorded).map(([name, each]) => ({ serializer, name, recorded: each })),
  )
  const written = cases.filter(({ recorded }) => recorded.payload !== undefined)
  const isData = ({ serializer, name }: { serializer: string; name: string }): boolean =>
    !(serializer === 'pickle' && FOREIGN_CLASSES.has(name))

  test('all files are looked at', () => {
    expect(Object.keys(serializers).sort()).toEqual(['json', 'msgpack', 'pickle', 'yaml'])
    expect(cases.length).toBe(4 * 45)
  })

  test.each(Object.entries(plain!))('reads %s as it is', (_, recorded) => {
    const body =
      typeof recorded.payload === 'object' ? Buffer.from(recorded.payload.base64, 'base64') : recorded.payload!
    const options = { accept: registry.acceptList(['text']) }
    const value = registry.decode(body, recorded.content_type!, recorded.content_encoding, options)
    expect(value instanceof Uint8Array ? new Uint8Array(value) : value).toEqual(
      typeof recorded.payload === 'object' ? Uint8Array.of(1, 2) : 'text',
    )
  })

  test('writes text and bytes as they are', () => {
    const { 'None/str': text, 'raw/bytes': bytes } = plain!
    const sent = ({ contentType, contentEncoding }: EncodedBody): unknown => [contentType, contentEncoding]
    expect(sent(registry.encode('text', 'text'))).toEqual([text!.content_type, text!.content_encoding])
    expect(sent(registry.encode(Uint8Array.of(1, 2), 'raw'))).toEqual([bytes!.content_type, bytes!.content_encoding])
  })

  test.each(written.filter((each) => isData(each) && each.recorded.decoded_repr !== undefined))(
    'reads $name of $serializer as Python does',
    ({ serializer, name, recorded }) => {
      const expected = READ_AS.get(`${serializer} ${name}`) ?? READ_AS.get(name) ?? recorded.decoded_repr
      expect(pythonRepr(decode(recorded))).toBe(expected)
    },
  )

  test.each(written.filter((each) => !isData(each)))('refuses the class in $name of pickle', ({ recorded }) => {
    expect(() => decode(recorded)).toThrow(
      expect.objectContaining({ code: 'ERR_CELERY_DECODE', reason: expect.stringContaining('no plain data') }),
    )
  })

  test.each(written.filter(({ recorded }) => recorded.loads_error !== undefined))(
    'refuses $name of $serializer, which Python refuses to read',
    ({ recorded }) => {
      expect(() => decode(recorded)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_DECODE' }))
    },
  )

  test.each(written.filter((each) => isData(each) && each.recorded.loads_error === undefined))(
    'writes $name in $serializer as Python does',
    ({ serializer, name, recorded }) => {
      const value = WRITTEN_FROM.has(`${serializer} ${name}`)
        ? WRITTEN_FROM.get(`${serializer} ${name}`)
        : VALUES.get(name)
      expect(VALUES.has(name)).toBe(true)
      const encoded = registry.encode(value, serializer)
      expect([encoded.contentType, encoded.contentEncoding]).toEqual([recorded.content_type, recorded.content_encoding])
      expect(pythonRepr(registry.decode(encoded.body, encoded.contentType, encoded.contentEncoding, { accept }))).toBe(
        pythonRepr(decode(recorded)),
      )
      if (serializer === 'json') expect(parseJson(String(encoded.body))).toEqual(parseJson(String(recorded.payload)))
      // Python knows that it was a float.
      if (serializer === 'msgpack' && name !== 'float_int') {
        const { payload } = recorded
        const bytes =
          typeof payload === 'object' ? Buffer.from(payload.base64, 'base64') : Buffer.from(payload!, 'latin1')
        expect(Buffer.from(encoded.body).toString('hex')).toBe(bytes.toString('hex'))
      }
    },
  )

  test.each(
    cases.filter(
      ({ serializer, name, recorded }) =>
        // An enumeration of Python has no counterpart at all.
        recorded.dumps_error !== undefined &&
        name !== 'enum' &&
        !ONLY_OURS.has(`${serializer} ${name}`) &&
        !ONLY_OURS.has(`${version} ${serializer} ${name}`),
    ),
  )('refuses to write $name in $serializer, as Python does', ({ serializer, name }) => {
    expect(VALUES.has(name)).toBe(true)
    expect(() => registry.encode(VALUES.get(name), serializer)).toThrow(
      expect.objectContaining({ code: 'ERR_CELERY_ENCODE' }),
    )
  })

  test('serializers have the same names, content types and encodings', () => {
    const { encoders, name_to_type } = golden<Registered>(`registry-${version}`)
    expect(Object.keys(encoders).sort()).toEqual(['json', 'msgpack', 'pickle', 'yaml'])
    for (const [name, [contentType, contentEncoding]] of Object.entries(encoders)) {
      expect(name_to_type[name]).toBe(contentType)
      expect(registry.encode(1, name)).toMatchObject({ contentType, contentEncoding })
    }
  })

  describe('compression', () => {
    const { payload, encoders, aliases } = golden<Compressions>(`compression-${version}`)
    const compressions = new CompressionRegistry()
    beforeAll(async () => {
      for (const name of Object.keys(aliases)) await compressions.load(name)
    })

    test.each(Object.entries(encoders))('%s is read', (contentType, { base64 }) => {
      const bytes = compressions.decompress(Buffer.from(base64, 'base64'), contentType)
      expect(Buffer.from(bytes).toString()).toBe(payload)
    })

    test.each(Object.entries(aliases))('%s is written, and is %s', (alias, contentType) => {
      const compressed = compressions.compress(payload, alias)
      expect(compressed.contentType).toBe(contentType)
      expect(Buffer.from(compressed.body).toString('hex', 0, 2)).toBe(
        // How brotli begins depends on the window that its encoder chose.
        contentType === 'application/x-brotli'
          ? Buffer.from(compressed.body).toString('hex', 0, 2)
          : encoders[contentType]!.first_bytes_hex.slice(0, 4),
      )
      expect(Buffer.from(compressions.decompress(compressed.body, contentType)).toString()).toBe(payload)
    })
  })
})
