import { isMissing } from '@celery/test-servers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  CompressionRegistry,
  DateTime,
  Decimal,
  PlainDate,
  pickleSerializer,
  SerializerRegistry,
  TimeDelta,
  TimeOfDay,
  Uuid,
} from '../src/index.ts'
import { PythonBridge } from './python-bridge.ts'
import { pythonRepr } from './python-repr.ts'

/** Read and written by every serializer. */
const PLAIN: readonly unknown[] = [
  null,
  true,
  [0, 1, -1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53 - 1],
  [-33, -32, -128, -129, -32_768, -32_769, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)],
  [0.5, 1e100, 1e-7, -1.25e-10, 2 ** 60, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  Number.NaN,
  [
    '',
    'hello',
    'é€😀',
    'a\nb\0\x7f\x85\u2028\ufeff',
    'yes',
    'null',
    '1',
    '1:30',
    '2024-01-02',
    '~',
    ' x ',
    "it's",
    '"',
  ],
  [
    '<<',
    '=',
    '!x',
    '&a',
    '*a',
    '- a',
    'a: b',
    'a #b',
    '%',
    '@',
    '0o7',
    '0b1',
    '1_000',
    '.inf',
    '\ttab',
    'x'.repeat(5000),
  ],
  // In the order of the alphabet, as PyYAML writes them.
  { '1': 2, __proto__x: 1, a: 1, b: { c: null, d: [] }, 'key with spaces': {}, yes: 'no', é: [[], [[]]] },
  { '\n\t': 2, ['k'.repeat(2000)]: 1 },
  Array.from({ length: 70_000 }, (_, index) => index % 3),
  Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`k${index + 10}`, index])),
]
const BYTES: readonly unknown[] = [
  [new Uint8Array(), Uint8Array.of(0, 255, 97), Uint8Array.from({ length: 300 }, (_, i) => i)],
]
const BIG: readonly unknown[] = [[2n ** 70n, -(2n ** 64n), 10n ** 400n], '\ud800 half']
const DATES: readonly unknown[] = [
  [new DateTime('2024-01-02T03:04:05'), new DateTime('2024-01-02T03:04:05.000001+05:30'), new PlainDate('0001-01-01')],
  [new Date(0), new Date(1_700_000_000_123)],
  [new DateTime('9999-12-31T23:59:59.999999+00:00'), new DateTime('1969-12-31T23:59:59.999999-11:45')],
]
const COLLECTIONS: readonly unknown[] = [
  new Set(['a']),
  new Map<unknown, unknown>([
    [1, 'a'],
    [2.5, 3],
  ]),
  new Map([[null, 1]]),
]
const EXACT: readonly unknown[] = [
  [
    new Decimal('1.10'),
    new Decimal('-Infinity'),
    new Decimal('1E+30'),
    new Uuid('12345678-1234-4234-8234-123456789abc'),
  ],
  [new TimeOfDay('03:04:05'), new TimeOfDay('23:59:59.999999-03:30'), new TimeOfDay('00:00')],
]
const DELTAS: readonly unknown[] = [
  [new TimeDelta(1, 2, 3), new TimeDelta(-1), new TimeDelta(0, 0, 1), new TimeDelta(0)],
]

const TABLE: Readonly<Record<string, readonly unknown[]>> = {
  json: [...PLAIN, ...BIG],
  yaml: [...PLAIN, ...BIG, ...BYTES, ...DATES, ...COLLECTIONS],
  msgpack: [...PLAIN, ...BYTES],
  pickle: [...PLAIN, ...BIG, ...BYTES, ...DATES, ...COLLECTIONS, ...EXACT, ...DELTAS],
}
const TYPED: readonly unknown[] = [...BYTES, ...DATES, ...EXACT]

describe.skipIf(isMissing('python-celery'))('with kombu of this machine', () => {
  let python: PythonBridge
  let serializers: SerializerRegistry
  let accept: ReadonlySet<string>
  let knowsTypes: boolean
  const compressions = new CompressionRegistry()

  beforeAll(async () => {
    python = new PythonBridge()
    const { version } = await python.ask({ do: 'version' })
    const [major = 0, minor = 0] = String(version).split('.').map(Number)
    knowsTypes = major > 5 || (major === 5 && minor >= 3)
    serializers = new SerializerRegistry({ fleetVersion: knowsTypes ? '5.6' : '5.2' })
    serializers.register('pickle', pickleSerializer())
    for (const name of ['yaml', 'msgpack', 'pickle']) await serializers.load(name)
    accept = serializers.acceptList(['json', 'yaml', 'msgpack', 'pickle'])
    for (const name of compressions.names()) await compressions.load(name)
  })
  afterAll(() => python.close())

  async function readByPython(value: unknown, serializer: string): Promise<unknown> {
    const { body, contentType, contentEncoding } = serializers.encode(value, serializer)
    const encoded = Buffer.from(body).toString('base64')
    return (await python.ask({ do: 'read', type: contentType, encoding: contentEncoding, body: encoded }))['repr']
  }

  async function writtenByPython(expression: string, serializer: string): Promise<unknown> {
    const { type, encoding, body } = await python.ask({ do: 'write', serializer, expression })
    return serializers.decode(Buffer.from(String(body), 'base64'), String(type), String(encoding), { accept })
  }

  test.each(Object.entries(TABLE))('Python reads what we write in %s', async (serializer, values) => {
    for (const value of values) expect(await readByPython(value, serializer)).toBe(pythonRepr(value))
  })

  test.each(Object.entries(TABLE))('we read what Python writes in %s', async (serializer, values) => {
    for (const value of values) {
      expect(pythonRepr(await writtenByPython(pythonRepr(value), serializer))).toBe(pythonRepr(value))
    }
  })

  test('typed values in JSON arrive as such, or as the text of an older kombu', async () => {
    for (const value of knowsTypes ? TYPED : [...DATES, ...EXACT]) {
      const expected = knowsTypes ? pythonRepr(value) : await writtenByPython(pythonRepr(value), 'json')
      expect(await readByPython(value, 'json')).toBe(knowsTypes ? expected : pythonRepr(expected))
      if (knowsTypes) expect(pythonRepr(await writtenByPython(pythonRepr(value), 'json'))).toBe(expected)
    }
  })

  test('every compression is read and written by both', async () => {
    const { compressions: known } = (await python.ask({ do: 'version' })) as { compressions: string[] }
    expect(known.length).toBeGreaterThanOrEqual(3)
    const bodies = [
      Buffer.from('hello celery '.repeat(1000)),
      Buffer.from(Array.from({ length: 999 }, (_, i) => (i * i) & 255)),
    ]
    for (const type of known) {
      for (const body of bodies) {
        const theirs = await python.ask({ do: 'compress', name: type, body: body.toString('base64') })
        expect(theirs['type']).toBe(type)
        const read = compressions.decompress(Buffer.from(String(theirs['body']), 'base64'), type)
        expect(Buffer.from(read).equals(body)).toBe(true)
        const ours = Buffer.from(compressions.compress(body, type).body).toString('base64')
        const back = await python.ask({ do: 'decompress', name: type, body: ours })
        expect(back['body']).toBe(body.toString('base64'))
      }
    }
  })
})
