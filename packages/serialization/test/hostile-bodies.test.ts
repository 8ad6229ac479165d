import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  type BinarySerializer,
  DecodeError,
  jsonSerializer,
  type MemoryOptions,
  msgpackSerializer,
  pickleSerializer,
  type TextSerializer,
  yamlSerializer,
} from '../src/index.ts'
import { leastMemory } from './least-memory.ts'

type Decode = (body: Buffer) => unknown

/** Each format's decoder, as options have it. */
const formats: Readonly<Record<string, (options: MemoryOptions) => Promise<Decode>>> = {
  json: async (options) => ofText(jsonSerializer(options)),
  yaml: async (options) => ofText((await yamlSerializer(options).load()) as TextSerializer),
  msgpack: async (options) => ofBytes((await msgpackSerializer(options).load()) as BinarySerializer),
  pickle: async (options) => ofBytes((await pickleSerializer(options).load()) as BinarySerializer),
}

function ofText({ decode }: TextSerializer): Decode {
  return (body) => decode(body.toString('utf8'))
}

function ofBytes({ decode }: BinarySerializer): Decode {
  return decode
}

/** What bodies of a format are made of: put together at random they get further than random bytes do. */
const pieces: Readonly<Record<string, readonly string[]>> = {
  json: [
    ...[
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '"',
      '"a"',
      '"a":',
      '"1000":',
      '"__proto__":',
      '\\',
      '\\u00',
      '0',
      '-',
      '1e5',
      '.5',
    ],
    ...[
      '[[]]',
      '[{}]',
      '{"a":{}}',
      '"__type__"',
      '"datetime"',
      '9'.repeat(20),
      'NaN',
      '-Infinity',
      'null',
      'true',
      ' ',
    ],
  ],
  yaml: [
    ...[
      '[',
      ']',
      '{',
      '}',
      ', ',
      ': ',
      '- ',
      '? ',
      '\n',
      '  ',
      '\t',
      '"',
      "'",
      '|\n',
      '>\n',
      '#',
      '&a ',
      '*a',
      '<<: ',
      '!!set ',
    ],
    ...[
      '!!omap ',
      '!!binary ',
      '%',
      '---\n',
      '...\n',
      'a',
      '0',
      '0x1',
      '1:2',
      '2020-01-01',
      '__proto__',
      '1000',
      '~',
      '\\n',
      'é',
    ],
  ],
  msgpack: [
    ...[
      '\x00',
      '\x80',
      '\x81',
      '\x82',
      '\x8f',
      '\x90',
      '\x91',
      '\x92',
      '\x9f',
      '\xa0',
      '\xa1a',
      '\xa41000',
      '\xa9__proto__',
    ],
    ...[
      '\xc0',
      '\xc1',
      '\xc3',
      '\xc4\x00',
      '\xc4\x01',
      '\xca',
      '\xcb',
      '\xcf',
      '\xd3',
      '\xd4',
      '\xd9\x01',
      '\xdc\x00\x02',
      '\xdd',
    ],
    ...['\xdd\x00\x00\x00\x02', '\xdd\x7f\xff\xff\xff', '\xde\x00\x02', '\xdf\xff\xff\xff\xff', '\xff'],
  ],
  pickle: [
    ...[
      '(',
      '.',
      '0',
      '1',
      '2',
      'N',
      '\x88',
      ']',
      '}',
      ')',
      '\x8f',
      'a',
      'e',
      's',
      'u',
      't',
      'l',
      'd',
      '\x85',
      '\x86',
      '\x87',
    ],
    ...[
      '\x90',
      '\x91',
      '\x94',
      'q\x00',
      'q\x01',
      'h\x00',
      'h\x01',
      'r\x00\x00\x01\x00',
      'p9\n',
      'g9\n',
      'R',
      '\x81',
      'b',
      '\x93',
    ],
    ...[
      'K\x01',
      'I01\n',
      'L5L\n',
      'F1.5\n',
      'G',
      'Va\n',
      "S'a'\n",
      'U\x041000',
      'X\x03\x00\x00\x00int',
      'C\x04\x07\xe8\x01\x02',
    ],
    ...[
      'cuuid\nUUID\n',
      'cdatetime\ndate\n',
      'cdatetime\ntimedelta\n',
      'cdecimal\nDecimal\n',
      'ccollections\nOrderedDict\n',
    ],
    ...[
      'c__builtin__\nset\n',
      'c__builtin__\nbytearray\n',
      'czoneinfo\nZoneInfo\n',
      'cpytz\n_UTC\n',
      'c_codecs\nencode\n',
      '\x95',
    ],
  ],
}

describe.each(Object.keys(formats))('%s', (format) => {
  const body = fc
    .array(fc.constantFrom(...pieces[format]!), { maxLength: 60 })
    .map((parts) => Buffer.from(parts.join(''), format === 'json' || format === 'yaml' ? 'utf8' : 'latin1'))
  const budget = fc.constantFrom(0, 100, 1000, 100_000)
  const decoders = new Map<number, Decode>()
  beforeAll(async () => {
    for (const maxMemoryBytes of [0, 100, 1000, 100_000, 2 ** 26]) {
      decoders.set(maxMemoryBytes, await formats[format]!({ maxMemoryBytes }))
    }
  })

  function outcome(bytes: Buffer, maxMemoryBytes: number): { readonly value: unknown } | undefined {
    try {
      return { value: decoders.get(maxMemoryBytes)!(bytes) }
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError)
      return undefined
    }
  }

  test('any body gives a value or a DecodeError, and no more than its memory holds', () => {
    fc.assert(
      fc.property(body, budget, (bytes, maxMemoryBytes) => {
        const found = outcome(bytes, maxMemoryBytes)
        if (found === undefined) return
        expect(leastMemory(found.value)).toBeLessThanOrEqual(maxMemoryBytes + 8 * bytes.length)
        // A limit refuses, and changes nothing.
        expect(outcome(bytes, 2 ** 26)).toEqual(found)
      }),
      { numRuns: 5000 },
    )
    expect(Object.keys(Object.prototype)).toEqual([])
  })
})
