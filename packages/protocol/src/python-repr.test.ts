import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { argsRepr, kwargsRepr, pythonRepr } from './python-repr.ts'

describe('repr', () => {
  test.each<[unknown, string]>([
    [null, 'None'],
    [undefined, 'None'],
    [true, 'True'],
    [1, '1'],
    [1.5, '1.5'],
    [1e100, '1e+100'],
    [2n ** 70n, '1180591620717411303424'],
    [Number.NaN, 'nan'],
    [Number.NEGATIVE_INFINITY, '-inf'],
    ["it's", "'it\\'s'"],
    ['a\\b', "'a\\\\b'"],
    ['é😀', "'é😀'"],
    ['a\n\x1b[0m\u202e\ud800', "'a\\n\\x1b[0m\\u202e\\ud800'"],
    [[1, ['a'], {}], "[1, ['a'], {}]"],
    [{ a: 1, b: { c: null } }, "{'a': 1, 'b': {'c': None}}"],
    [[[[[1]]]], '[[[[...]]]]'],
    [new Map([[1, 'x']]), "{1: 'x'}"],
    [new Set([1]), '{1}'],
    [new Uint8Array(3), '<3 bytes>'],
    [new Date(0), '<Date 1970-01-01T00:00:00.000Z>'],
    [new TypeError('no'), "TypeError('no')"],
    [() => 1, '<function>'],
  ])('of value %# is as in Python', (value, text) => {
    expect(pythonRepr(value)).toBe(text)
  })

  test('of arguments is a tuple and a dict', () => {
    expect(argsRepr([])).toBe('()')
    expect(argsRepr([1])).toBe('(1,)')
    expect(argsRepr([2, 3])).toBe('(2, 3)')
    expect(kwargsRepr({})).toBe('{}')
    expect(kwargsRepr({ k: null })).toBe("{'k': None}")
  })

  test('is cut, and what was open is closed', () => {
    expect(argsRepr(['x'.repeat(3000), 1])).toBe(`('${'x'.repeat(1022)}...', ...)`)
    expect(kwargsRepr({ k: 'y'.repeat(3000) })).toBe(`{'k': '${'y'.repeat(1017)}...'}`)
  })

  test('never throws, ends, and is one short line', () => {
    const loop: unknown[] = []
    loop.push(loop)
    const trap = {
      get x(): never {
        throw new Error('no')
      },
    }
    expect(pythonRepr(loop)).toBe('[[[[...]]]]')
    expect(pythonRepr([trap])).toBe('<unprintable>')
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
        (value) => {
          const text = pythonRepr(value, { maxLength: 100 })
          expect(text).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
          // Each cut character may be escaped, to at most ten.
          expect(text.length).toBeLessThan(1100)
        },
      ),
    )
  })
})
