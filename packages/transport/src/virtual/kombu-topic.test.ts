import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { kombuTopicExpression, kombuTopicMatches } from './kombu-topic.ts'

describe('topics as publishers in Python see them', () => {
  test.each([
    ['a.#', '^a\\..*?$'],
    ['a.*.b', '^a\\..*?[^\\.]\\.b$'],
    ['#', '^.*?$'],
    ['plain', '^plain$'],
    ['a_b-c.é ß', '^a\\_b\\-c\\.é\\ ß$'],
    ['nul\0', '^nul\\000$'],
  ])('%j is written as %s', (pattern, expression) => {
    expect(kombuTopicExpression(pattern)).toBe(expression)
  })

  test.each([
    ['a.#', ['a.b', 'a.b.c', 'a.'], ['a', 'b.a', 'ab']],
    ['#', ['', 'a', 'a.b'], ['a\nb']],
    ['*', ['a', 'a.b'], ['', 'a.']],
    ['a.*.c', ['a.b.c', 'a.b.b.c'], ['a.c', 'a..c', 'a.b.c.d']],
    ['*.*', ['a.b', 'a.b.c'], ['a', '.b']],
    ['plain.key', ['plain.key'], ['plain', 'plain.keys', 'plainxkey']],
    ['', [''], ['a']],
    ['*.b.*', ['a.b.\n', 'a.b.b.\n'], ['a.\nb.a']],
  ])('%j takes what Python takes', (pattern, matches, misses) => {
    expect(matches.filter((key) => kombuTopicMatches(pattern, key))).toEqual(matches)
    expect(misses.filter((key) => kombuTopicMatches(pattern, key))).toEqual([])
  })

  test('agree with the expression that Python routes by, whatever pattern and key', () => {
    const pattern = fc
      .array(fc.constantFrom('a', 'b', 'ab', '*', '#', ''), { maxLength: 6 })
      .map((words) => words.join('.'))
    const key = fc.array(fc.constantFrom('a', 'b', '.', '\n'), { maxLength: 10 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(pattern, key, (bound, sent) => {
        expect(kombuTopicMatches(bound, sent)).toBe(new RegExp(kombuTopicExpression(bound)).test(sent))
      }),
      { numRuns: 20_000 },
    )
  })

  test('H-33 take no more time than pattern times key', () => {
    // Trying every way to divide the key would take for ever.
    expect(kombuTopicMatches(Array(100).fill('*').join('.'), 'a'.repeat(5_000))).toBe(false)
  })
})
