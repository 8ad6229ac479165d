import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkParameters, countPlaceholders } from './parameters.ts'
import type { SqlParameter } from './statement.ts'

describe('counting placeholders', () => {
  test.each([
    ['SELECT 1', 0],
    ['SELECT ? + ?', 2],
    ['SELECT \'?\', "?", `?`, [?], ? -- ?', 1],
    ['SELECT /* ? */ ?', 1],
    ["SELECT 'it''s ?', ?", 1],
    ['SELECT ?;', 1],
  ])('%s', (sql, count) => {
    expect(countPlaceholders(sql)).toBe(count)
  })

  test.each(['SELECT 1; SELECT 2', 'SELECT ?1', 'SELECT :name', 'SELECT @name', 'SELECT $name'])(
    'refuses %s',
    (sql) => {
      expect(() => countPlaceholders(sql)).toThrow(TypeError)
    },
  )

  test('text in quotes never counts', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(countPlaceholders(`SELECT '${text.replaceAll("'", "''")}', ?`)).toBe(1)
      }),
    )
  })
})

describe('checking parameters', () => {
  test('passes on what SQLite stores, without copying', () => {
    const params = [null, 1, 1.5, 2n, 'text', new Uint8Array([1])]
    expect(checkParameters(params, 6, 'sql')).toBe(params)
  })

  test('turns booleans into 0 and 1', () => {
    expect(checkParameters([true, 'a', false], 3, 'sql')).toEqual([1, 'a', 0])
  })

  test.each([[[]], [[1]], [[1, 2, 3]]])('refuses the wrong number: %j', (params) => {
    expect(() => checkParameters(params, 2, 'sql')).toThrow(`2 parameters expected, ${params.length} given`)
  })

  test.each([
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['a Date', new Date()],
    ['a ArrayBuffer', new ArrayBuffer(1)],
    ['a Array', []],
    ['text with a NUL', 'a\0b'],
    ['text with half a surrogate pair', 'a\ud800b'],
    ['symbol', Symbol('x')],
  ])('refuses %s, naming its place', (what, value) => {
    expect(() => checkParameters([1, value as SqlParameter], 2, 'sql')).toThrow(`parameter 2 is ${what}`)
  })

  test('refuses a bare buffer, of which libsql would die', () => {
    expect(() => checkParameters(Buffer.alloc(2) as unknown as SqlParameter[], 2, 'sql')).toThrow(
      'must come in an array',
    )
  })
})
