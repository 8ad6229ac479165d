import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DecodeError, EncodeError } from '../errors.ts'
import { parseCarefully } from './parse-carefully.ts'
import { parseJson } from './parse-json.ts'
import { stringifyJson } from './stringify-json.ts'

/** Depth of nesting, as brackets inside each other. */
function nested(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth)
}

/** What JSON can hold, in Python's dialect. -0 is left out: it is written as 0. */
const data: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.double().map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.bigInt().map((integer) => (Number.isSafeInteger(Number(integer)) ? Number(integer) : integer)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value')),
    fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__'), fc.constant('constructor')), tie('value'), {
      noNullPrototype: true,
    }),
  ),
})).value

describe('reading', () => {
  test('integers beyond 2^53 become bigint, all other numbers number', () => {
    expect(parseJson('[9007199254740991, 9007199254740992, -9007199254740993, 1180591620717411303424]')).toEqual([
      9007199254740991,
      9007199254740992n,
      -9007199254740993n,
      1180591620717411303424n,
    ])
    expect(parseJson('[0.12345678901234566, 1e+100, 1795330048.589143, 12345678901234568.0, -0.5]')).toEqual([
      0.12345678901234566, 1e100, 1795330048.589143, 12345678901234568, -0.5,
    ])
  })

  test('a big integer is found wherever it stands', () => {
    for (let before = 0; before < 70; before++) {
      for (const digits of [16, 17, 31, 40]) {
        const integer = BigInt('9'.repeat(digits))
        expect(parseJson(`${' '.repeat(before)}[0.1234567890123456789,${integer} ]`)).toEqual([
          0.12345678901234568,
          integer,
        ])
      }
    }
  })

  test('NaN and the infinities are numbers, and plain text inside strings', () => {
    expect(parseJson('{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN"}')).toEqual({
      a: Number.NaN,
      b: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      c: 'NaN',
    })
  })

  test.each(['{"__proto__": {"polluted": 1}}', '{"__proto__": {"polluted": NaN}}'])('%s is data (H-13)', (text) => {
    const value = parseJson(text) as object
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('nesting is limited, whichever parser reads (H-04)', () => {
    expect(parseJson(nested(100))).toBeInstanceOf(Array)
    expect(() => parseJson(nested(101))).toThrow(DecodeError)
    expect(() => parseJson(nested(200_000))).toThrow(DecodeError)
    expect(() => parseJson(`${'{"a":'.repeat(101)}1${'}'.repeat(101)}`)).toThrow(DecodeError)
    expect(() => parseJson(`[NaN,${nested(100)}]`)).toThrow(DecodeError)
    expect(parseJson('[[[]]]', { maxDepth: 3 })).toEqual([[[]]])
    expect(() => parseJson('[[[[]]]]', { maxDepth: 3 })).toThrow(DecodeError)
  })

  test('many brackets side by side, or in strings, are not deep', () => {
    const rows = Array.from({ length: 500 }, (_, index) => ({ index, text: '[[[{{{"\\' }))
    expect(parseJson(JSON.stringify(rows))).toEqual(rows)
  })

  test('memory is limited, whichever parser reads', () => {
    const tooMuch = (limit: number): string =>
      `cannot read application/json: its values would take more than ${limit} bytes of memory`
    expect(() => parseJson('[[],[],[]]', { maxMemoryBytes: 100 })).toThrow(tooMuch(180))
    expect(() => parseJson('[[],[],NaN]', { maxMemoryBytes: 50 })).toThrow(tooMuch(138))
    expect(parseJson('[[],[],[]]', { maxMemoryBytes: 200 })).toEqual([[], [], []])
    // What stands in a text is text.
    const text = JSON.stringify('[[],{"a":'.repeat(100))
    expect(parseJson(text, { maxMemoryBytes: 0 })).toBe('[[],{"a":'.repeat(100))
    expect(parseJson('[1,2,3]', { maxMemoryBytes: Number.POSITIVE_INFINITY })).toEqual([1, 2, 3])
  })

  test('64 MiB more than eight times the text is enough for any of 3 MiB, and for rows of any number', () => {
    expect(parseJson(`[${Array.from({ length: 2 ** 20 }, () => '[]').join(',')}]`)).toHaveLength(2 ** 20)
    expect(() => parseJson(`[${Array.from({ length: 2 ** 21 }, () => '[]').join(',')}]`)).toThrow('bytes of memory')
    const row = '{"id":1234567,"name":"a name","tags":["x","y"],"price":12.5,"active":true}'
    expect(parseJson(`[${Array.from({ length: 2 ** 17 }, () => row).join(',')}]`)).toHaveLength(2 ** 17)
  })

  test('an integer of more digits than Python would read is refused', () => {
    expect(parseJson('9'.repeat(4300))).toBe(BigInt('9'.repeat(4300)))
    expect(() => parseJson('9'.repeat(4301))).toThrow(DecodeError)
  })

  test.each([
    '',
    ' ',
    '[1,]',
    '{"a"}',
    "{'a': 1}",
    '[1] 2',
    '01',
    '1.',
    '+1',
    '"\n"',
    '"\\x"',
    '"abc',
    'nul',
    '-',
    '\ufeff1',
  ])('text that is no JSON is refused: %j', (text) => {
    expect(() => parseJson(text)).toThrow(DecodeError)
  })

  test('the error says where', () => {
    expect(() => parseJson('[1, 2, x]')).toThrow('at position 7')
  })

  test('the careful parser agrees with JSON.parse on all that JSON.parse can read', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        const value = parseCarefully(text, 100, undefined)
        // JSON.parse rounds what does not fit.
        const rounded = JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? Number(item) : item))
        expect(rounded).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })

  test('any text gives a value or a DecodeError', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom(
        '[',
        ']',
        '{',
        '}',
        ',',
        ':',
        '"',
        '\\',
        'NaN',
        '-Infinity',
        '1e999',
        '"__proto__":',
        '9'.repeat(20),
      ),
    )
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        try {
          parseJson(pieces.join(''))
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError)
        }
      }),
    )
  })
})

describe('writing', () => {
  test('what was written is read back as it was', () => {
    fc.assert(
      fc.property(data, (value) => {
        expect(parseJson(stringifyJson(value))).toEqual(value)
      }),
    )
  })

  test('plain data is written without spaces and other than ASCII as it is', () => {
    expect(stringifyJson({ a: [1, 'é😀', null, true] })).toBe('{"a":[1,"é😀",null,true]}')
  })

  test('a number beyond 2^53 stays a float to Python, a bigint an integer', () => {
    expect(
      stringifyJson([2 ** 60, 1e21, 10n ** 21n, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
    ).toBe('[1152921504606847000.0,1e+21,1000000000000000000000,NaN,Infinity,-Infinity]')
  })

  test('undefined is null in an array, left out of an object, and null alone', () => {
    expect(stringifyJson([undefined, { a: undefined, b: 1 }])).toBe('[null,{"b":1}]')
    expect(stringifyJson([undefined, { a: undefined, b: 1n }])).toBe('[null,{"b":1}]')
    expect(stringifyJson(undefined)).toBe('null')
  })

  test('a date and what has toJSON say how they are written', () => {
    expect(stringifyJson({ when: new Date(0), price: { toJSON: () => '1.10' } })).toBe(
      '{"when":"1970-01-01T00:00:00.000Z","price":"1.10"}',
    )
  })

  test('an instance of a class is written as its fields', () => {
    class Point {
      x = 1
      y = 2n
    }
    expect(stringifyJson(new Point())).toBe('{"x":1,"y":2}')
  })

  test.each([
    ['a function', { run: () => 1 }, '$.run'],
    ['a symbol', [Symbol('s')], '$[0]'],
    ['a map', { a: { m: new Map() } }, '$.a.m'],
    ['a set', [new Set([1])], '$[0]'],
    ['bytes', { raw: new Uint8Array(3) }, '$.raw'],
    ['a promise', [1, Promise.resolve(1)], '$[1]'],
    ['an error', new Error('x'), '$'],
    ['a date that is none', [new Date(Number.NaN)], '$[0]'],
  ])('%s is refused, with its place', (_, value, path) => {
    expect(() => stringifyJson(value)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_ENCODE', path }))
  })

  test('a value that contains itself is refused', () => {
    const loop: unknown[] = []
    loop.push({ loop })
    expect(() => stringifyJson(loop)).toThrow(EncodeError)
    const shifting = { toJSON: (): unknown => shifting }
    expect(() => stringifyJson(shifting)).toThrow(EncodeError)
  })
})

describe('typed values', () => {
  const types = {
    replace: (value: object) =>
      value instanceof Uint8Array
        ? { __type__: 'base64', __value__: Buffer.from(value).toString('base64') }
        : undefined,
    revive(type: string, value: unknown) {
      if (type !== 'base64' || typeof value !== 'string') throw new TypeError(`unknown type ${type}`)
      return new Uint8Array(Buffer.from(value, 'base64'))
    },
  }

  test('are written and read by those who know them', () => {
    const value = { payload: [new Uint8Array([255, 0, 1])] }
    const text = stringifyJson(value, { types })
    expect(text).toBe('{"payload":[{"__type__":"base64","__value__":"/wAB"}]}')
    expect(parseJson(text, { types })).toEqual(value)
  })

  test('a type that is not known, or a bad value, is a DecodeError (H-19)', () => {
    expect(() => parseJson('{"__type__": "nope", "__value__": 1}', { types })).toThrow(DecodeError)
  })

  test('only an object of exactly the two keys is one', () => {
    const text = '{"__type__": "base64", "__value__": "/wAB", "more": 1}'
    expect(parseJson(text, { types })).toEqual({ __type__: 'base64', __value__: '/wAB', more: 1 })
    expect(parseJson('{"__type__": 1, "__value__": 1}', { types })).toEqual({ __type__: 1, __value__: 1 })
  })

  test('are data where no one knows them', () => {
    expect(parseJson('{"__type__": "base64", "__value__": "/wAB"}')).toEqual({ __type__: 'base64', __value__: '/wAB' })
  })
})
