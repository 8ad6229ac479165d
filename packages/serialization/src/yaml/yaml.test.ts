import { beforeAll, describe, expect, test } from 'vitest'
import type { Serializer } from '../serializer.ts'
import { DateTime } from '../values/date-time.ts'
import { PlainDate } from '../values/plain-date.ts'
import { yamlSerializer } from './yaml-serializer.ts'

let yaml: Serializer
beforeAll(async () => {
  yaml = await yamlSerializer().load()
})

function read(text: string): unknown {
  return (yaml.decode as (text: string) => unknown)(text)
}

describe('reading as PyYAML does', () => {
  test.each([
    ['[yes, No, on, OFF, true, y, n, Y]', [true, false, true, false, true, 'y', 'n', 'Y']],
    ['[0b101, 0x1F, 017, 1_000, 1:30, -190:20:30, 0, +5]', [5, 31, 15, 1000, 90, -685_230, 0, 5]],
    ['[08, 0o7, 1e3, 1.e+3, .5, 1:30.5, ~]', ['08', '0o7', '1e3', 1000, 0.5, 90.5, null]],
    ['1180591620717411303424', 1180591620717411303424n],
    ['0xffffffffffffffff', 2n ** 64n - 1n],
    ['{a: 1, a: 2}', { a: 2 }],
    ['base: &b {x: 1, y: 2}\nderived: {<<: *b, y: 3}', { base: { x: 1, y: 2 }, derived: { x: 1, y: 3 } }],
    ['!!str 12', '12'],
    ['- a\n- b: [1, 2]\n', ['a', { b: [1, 2] }]],
  ])('%s', (text, value) => {
    expect(read(text)).toEqual(value)
  })

  test.each([
    ['2024-01-02 03:04:05.678901234', '2024-01-02T03:04:05.678901'],
    ['2024-1-2T3:04:05.0001 Z', '2024-01-02T03:04:05.000100+00:00'],
    ['2024-01-02 03:04:05 +5:30', '2024-01-02T03:04:05+05:30'],
    ['2024-01-02t03:04:05-03', '2024-01-02T03:04:05-03:00'],
  ])('%s is a time that keeps its digits and its zone', (text, iso) => {
    const value = read(text)
    expect(value).toBeInstanceOf(DateTime)
    expect((value as DateTime).isoFormat()).toBe(iso)
  })

  test('a time that a Date can hold is one', () => {
    expect(read('2024-1-2T3:04:05.25 Z')).toStrictEqual(new Date('2024-01-02T03:04:05.250Z'))
  })

  test('a day alone is a date', () => {
    expect(read('2024-01-02')).toEqual(new PlainDate('2024-01-02'))
  })

  test('a mapping with keys that are not all text is a Map', () => {
    expect(read('{1: a, b: c}')).toEqual(
      new Map<unknown, unknown>([
        [1, 'a'],
        ['b', 'c'],
      ]),
    )
  })
})

describe('refuses', () => {
  test.each([
    ['a tag of JavaScript', '!!js/function "function () {}"'],
    ['a tag of Python', '!!python/object/apply:os.system ["true"]'],
    ['a tag of its own', '!money 5'],
    ['a day that does not exist', '2024-02-30'],
    ['an integer of too many digits', '9'.repeat(4301)],
    ['an integer of too many hexadecimal digits', `0x${'f'.repeat(4299)}`],
    ['digits with too many colons', `1${':1'.repeat(300_000)}`],
    ['two documents', '--- 1\n--- 2\n'],
    ['an unknown alias', '*a'],
    ['an open bracket', '[1'],
    ['nothing', ''],
    ['deep nesting', '['.repeat(200_000)],
    [
      'deep nesting of aliases',
      `[${Array.from({ length: 150 }, (_, i) => `&a${i} [${i === 0 ? '' : `*a${i - 1}`}]`).join(', ')}]`,
    ],
    ['what contains itself', '&a [*a]'],
  ])('%s (H-20)', (_, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_DECODE' }))
  })

  test('aliases of aliases without end (H-20)', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let level = 1; level <= 10; level++) {
      lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`)
    }
    expect(() => read(lines.join('\n'))).toThrow(/more than \d+ values/)
  })

  test('with an error that does not quote the document', () => {
    expect(() => read('{secret: hunter2, other: [}')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    )
  })
})

test('memory is limited, before the parser begins', async () => {
  const narrow = (await yamlSerializer({ maxMemoryBytes: 1000 }).load()).decode as (text: string) => unknown
  expect(narrow('[1, 2]')).toEqual([1, 2])
  expect(() => narrow('[[], [], []]')).toThrow(
    'cannot read application/x-yaml: its values would take more than 1096 bytes of memory',
  )
  expect(() => narrow('- - - - 1')).toThrow('bytes of memory')
  // Neither a comma nor a hyphen separates anything here.
  expect(narrow(`text: ${'a, b-c '.repeat(100)}`)).toEqual({ text: 'a, b-c '.repeat(100).trim() })
})

test('a __proto__ key is data, merged or not (H-13)', () => {
  for (const text of ['{__proto__: {polluted: 1}}', '<<: {__proto__: {polluted: 1}}']) {
    const value = read(text) as object
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value)).toEqual(['__proto__'])
  }
})

test('writes one line of quoted text that says what each value is', () => {
  const value = {
    yes: 'no',
    n: [1, 1e21, 1e-7, Number.NaN, -0, 10n ** 20n, null, true],
    at: new Date(0),
    b: Buffer.of(255),
  }
  expect(yaml.encode(value)).toBe(
    '{"yes" : "no", "n" : [1, 1.0e+21, 1.0e-7, .nan, -0.0, 100000000000000000000, null, true], ' +
      '"at" : !!timestamp "1970-01-01 00:00:00+00:00", "b" : !!binary "/w=="}\n',
  )
})

test.each([
  ['a list as a key', new Map([[[1], 1]]), '$'],
  ['a set of objects', new Set([{}]), '$'],
  ['an offset with seconds', [new DateTime('2024-01-02T03:04:05+00:19:32')], '$[0]'],
])('refuses to write %s', (_, value, path) => {
  expect(() => yaml.encode(value)).toThrow(expect.objectContaining({ code: 'ERR_CELERY_ENCODE', path }))
})
