import { describe, expect, test } from 'vitest'
import type { BinarySerializer } from '../serializer.ts'
import { DateTime } from '../values/date-time.ts'
import { TimeOfDay } from '../values/time-of-day.ts'
import { pickleSerializer } from './pickle-serializer.ts'

const { encode, decode } = (await pickleSerializer().load()) as BinarySerializer

/** A pickle as text, one byte for each character. */
function read(pickle: string): unknown {
  return decode(Buffer.from(pickle, 'latin1'))
}

describe('reading', () => {
  test.each([
    [
      'numbers of protocol 0',
      '(lp0\nI1\naI01\naI00\naL-12L\naF1.5\naFnan\naF-inf\na.',
      [1, true, false, -12, 1.5, Number.NaN, Number.NEGATIVE_INFINITY],
    ],
    ['text of protocol 0', "(S'a\\n\\x41\\'\\101'\nVh\\u00e9\\u20ac\\U0001f600\nt.", ["a\nA'A", 'hé€😀']],
    ['text of Python 2', '(T\x02\0\0\0abU\x01ct.', ['ab', 'c']],
    ['a dict of protocol 0', '(dp0\nVa\nI1\ns.', { a: 1 }],
    ['what is referred to twice', '(lp0\n(lp1\nag1\na.', [[], []]],
    ['integers of four bytes and many', '(J\xff\xff\xff\xffM\x00\x01\x8b\x01\0\0\0\x80t.', [-1, 256, -128]],
    ['an ordered dict', 'ccollections\nOrderedDict\n((lp0\n(lp1\nVa\naI1\naatR.', { a: 1 }],
    ['frozen sets', '\x80\x04(K\x01K\x01\x91.', new Set([1])],
    ['bytes without any', 'c__builtin__\nbytes\n(tR.', new Uint8Array()],
    ['bytes of protocol 5', '\x80\x05\x96\x02\0\0\0\0\0\0\0ab.', Uint8Array.of(97, 98)],
    ['a value above which others were dropped', 'I1\nI2\n0(I3\n1.', 1],
    ['a value that is doubled', '](I5\n2e.', [5, 5]],
  ])('%s', (_, pickle, value) => {
    expect(read(pickle)).toEqual(value)
  })

  test('times of Python 2, whose state is text', () => {
    const pickle = "cdatetime\ndatetime\n(S'\\x07\\xe8\\x01\\x02\\x03\\x04\\x05\\x00\\x00\\x00'\ntR."
    // Python 3 refuses these bytes as text too; those of a time are all ASCII.
    expect(() => read(pickle)).toThrow('not ASCII')
    const time = read("cdatetime\ntime\n(S'\\x03\\x04\\x05\\x00\\x00\\x00'\ntR.")
    expect(time).toEqual(new TimeOfDay('03:04:05'))
  })

  test.each([
    ['2024-03-31T01:59:59', '+01:00'],
    // A clock there does not show this; without fold Python has it before the change.
    ['2024-03-31T02:30:00', '+01:00'],
    ['2024-03-31T03:00:00', '+02:00'],
    ['2024-10-27T02:30:00', '+02:00'],
    ['2024-10-27T03:00:00', '+01:00'],
  ])('%s in a zone by name has the offset of that moment', (text, offset) => {
    const state = encode(new DateTime(text))
    // Its own pickle, with a zone put beside the ten bytes.
    const naive = Buffer.from(state).toString('latin1')
    const zoned = naive.replace(/\x85R\.$/, 'czoneinfo\nZoneInfo\n(X\x0c\0\0\0Europe/Paris\x74R\x86R.')
    expect((read(zoned) as DateTime).isoFormat()).toBe(`${text}${offset}`)
  })
})

describe('refuses, and runs nothing (H-22)', () => {
  test.each([
    ['a command', "cos\nsystem\n(S'exit 1'\ntR.", '"os.system" is no plain data'],
    [
      'a command in two steps',
      '\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x06exit 1\x85R.',
      '"posix.system" is no plain data',
    ],
    ['eval', "c__builtin__\neval\n(S'1'\ntR.", 'no plain data'],
    ['getattr of anything else', "c__builtin__\ngetattr\n(cdecimal\nDecimal\nS'x'\ntR.", 'getattr'],
    ['names of Object.prototype', 'cconstructor\nconstructor\n.', 'no plain data'],
    ['a class of Python 2', "(S'x'\nios\nsystem\n.", '0x69'],
    ['an object of Python 2', "(cdecimal\nDecimal\nS'1'\no.", '0x6f'],
    ['an extension code', '\x82\x01.', '0x82'],
    ['a persistent id', 'Px\n.', '0x50'],
    ['a buffer out of band', '\x80\x05\x97.', '0x97'],
    ['a class itself', 'cdecimal\nDecimal\n.', 'by itself'],
    ['a class in a list', '(lp0\ncdecimal\nDecimal\na.', 'by itself'],
    ['a zone alone', 'cpytz\n_UTC\n(tR.', 'by itself'],
    ['a UUID without state', 'cuuid\nUUID\n)\x81.', 'by itself'],
    ['the state of what has none', 'I1\nI2\nb.', 'only a UUID'],
    ['calling what has no name', 'I1\n)R.', 'only what has a name'],
    [
      'an unknown zone',
      'cdatetime\ndatetime\n(C\x0a\x07\xe8\x01\x02\x03\x04\x05\0\0\0czoneinfo\nZoneInfo\n(VNo/Where\ntRtR.',
      'No/Where',
    ],
    ['a day that does not exist', 'cdatetime\ndate\n(C\x04\x07\xe8\x02\x1etR.', 'no date'],
    ['a wrong state', 'cdatetime\ndate\n(C\x03\x07\xe8\x02tR.', 'expected 4 bytes'],
    ['a future protocol', '\x80\x06N.', 'protocol 6'],
    ['a frame beyond the end', '\x80\x04\x95\xff\0\0\0\0\0\0\0N.', 'unexpected end'],
    ['text of 2^64-1 bytes', '\x8d\xff\xff\xff\xff\xff\xff\xff\xff.', 'unexpected end'],
    // As long as the square of its digits, if it were looked for carelessly.
    ['a number of a million digits and a letter', `F${'1'.repeat(1_000_000)}x\n.`, 'bad number'],
    ['a decimal of a million digits and a letter', `cdecimal\nDecimal\n(V${'1'.repeat(1_000_000)}x\ntR.`, 'no decimal'],
    ['a negative length', 'T\xff\xff\xff\xff.', 'negative length'],
    ['an integer of too many digits', `L${'9'.repeat(4301)}L\n.`, '4300 digits'],
    ['an integer of too many bytes', `\x8b\xff\xff\0\0${'a'.repeat(65_535)}.`, '1786 bytes'],
    ['a memory that is empty', 'h\x05.', 'nothing was remembered'],
    ['a group that was not begun', 'N.t', 'unexpected data'],
    ['an empty stack', '0.', 'the stack is empty'],
    ['a mark for a value', '(.', 'a value is missing'],
    ['a key without value', '}(N\x75.', 'a key has no value'],
    ['no end', 'N', 'unexpected end'],
    ['what contains itself', ']q\0h\0a.', 'in itself'],
    ['deep nesting', `${']'.repeat(101)}${'a'.repeat(100)}.`, 'nested deeper than 100'],
  ])('%s', (_, pickle, reason) => {
    expect(() => read(pickle)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_DECODE' }))
    expect(() => read(pickle)).toThrow(reason)
  })

  test('lists of the same list without end', () => {
    // Each list holds ten times the one before.
    const levels = Array.from(
      { length: 12 },
      (_, level) => `](${`h${String.fromCharCode(level)}`.repeat(10)}eq${String.fromCharCode(level + 1)}0`,
    )
    expect(() => read(`]q\0(NNe0${levels.join('')}h\x0c.`)).toThrow(/more than \d+ values/)
  })

  test('a UUID that is finished again and again, and is remembered as often', () => {
    const state = `}X\x03\0\0\0intK\x07s`
    const unfinished = `cuuid\nUUID\n)\x81${'\x94'.repeat(200_000)}${'2'.repeat(20_000)}`
    expect(read(`](${unfinished}${`${state}b0`.repeat(20_001)}e.`)).toEqual([])
  })

  test('memory is limited, whatever takes it', async () => {
    const { decode: narrow } = (await pickleSerializer({ maxMemoryBytes: 500 }).load()) as BinarySerializer
    expect(narrow(Buffer.from('](K\x01e.', 'latin1'))).toEqual([1])
    expect(() => narrow(Buffer.from('](]]]]e.', 'latin1'))).toThrow(
      'cannot read application/x-python-serialize: its values would take more than 564 bytes of memory',
    )
    const latin1 = 'c_codecs\nencode\n(Va\nVlatin1\ntR'
    const more = ['](}}e.', '](\x8fe.', `](C\0C\0C\0e.`, `](${'N'.repeat(99)}t\x90.`, `](${latin1}${latin1}e.`]
    for (const pickle of more) expect(() => narrow(Buffer.from(pickle, 'latin1')), pickle).toThrow('bytes of memory')
  })

  test('a thousand time zones are not looked up', () => {
    const zoned = (zone: string): string =>
      `cdatetime\ndatetime\n(C\x0a\x07\xe8\x01\x02\x03\x04\x05\0\0\0czoneinfo\nZoneInfo\n(V${zone}\ntRtR`
    // Names of zones are the same in any case.
    const zones = Array.from({ length: 1100 }, (_, bits) =>
      [...'europeparis']
        .map((char, at) => ((bits >> at) & 1 ? char.toUpperCase() : char))
        .join('')
        .replace(/paris/i, '/$&'),
    )
    expect(() => read(`](${zones.map(zoned).join('')}e.`)).toThrow('bytes of memory')
    expect(read(`](${zoned('Europe/Paris').repeat(2)}e.`)).toHaveLength(2)
  })

  test('a __proto__ key is data (H-13)', () => {
    const value = read('}X\t\0\0\0__proto__}X\x01\0\0\0aK\x01ss.') as object
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__'])
  })
})

test.each([
  ['a dict as a key', new Map([[{}, 1]])],
  ['a set of sets', new Set([new Set()])],
])('refuses to write %s', (_, value) => {
  expect(() => encode(value)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_ENCODE' }))
})

test('lists of integers of all lengths come back', () => {
  const values = Array.from({ length: 70 }, (_, bits) => [
    2n ** BigInt(bits * 4),
    -(2n ** BigInt(bits * 4)),
    2n ** BigInt(bits * 8 + 7),
  ])
  const read = decode(encode(values)) as (number | bigint)[][]
  expect(read.map((row) => row.map(BigInt))).toEqual(values)
})
