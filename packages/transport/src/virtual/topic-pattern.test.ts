import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { topicMatches } from './topic-pattern.ts'

describe('topicMatches', () => {
  test.each([
    ['task.*', 'task.sent', true],
    ['task.*', 'task', false],
    ['task.*', 'task.a.b', false],
    ['task.#', 'task', true],
    ['task.#', 'task.a.b', true],
    ['#', '', true],
    ['*', '', true],
    ['a.#.z', 'a.z', true],
    ['a.#.z', 'a.z.z', true],
    ['a.#.b.#.c', 'a.x.b.y.b.c', true],
    ['#.#', 'a', true],
    ['a#', 'a.b', false],
    ['a.b', 'a.b', true],
    ['a.b', 'axb', false],
    ['a.b', 'a.b.', false],
  ])('%s and %s: %s', (pattern, key, expected) => {
    expect(topicMatches(pattern, key)).toBe(expected)
  })

  test('agrees with the definition', () => {
    const word = fc.constantFrom('a', 'b', '', 'ab')
    const patternWord = fc.oneof(word, fc.constantFrom('*', '#', '#'))
    const patterns = fc.array(patternWord, { minLength: 1, maxLength: 6 })
    const keys = fc.array(word, { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(patterns, keys, (pattern, key) => {
        expect(topicMatches(pattern.join('.'), key.join('.'))).toBe(defined(pattern, key))
      }),
      { numRuns: 2_000 },
    )
  })

  test('does not run away on patterns made for that', () => {
    const startedAt = performance.now()
    expect(topicMatches(`${'#.a.'.repeat(20)}b`, 'a.'.repeat(5_000))).toBe(false)
    expect(topicMatches('#.a.#.a.#.b', `${'a'.repeat(50_000)}`)).toBe(false)
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })
})

/** AMQP's sentence, word for word and without regard to time. */
function defined(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return key.length === 0
  if (first === '#') return defined(rest, key) || (key.length > 0 && defined(pattern, key.slice(1)))
  return key.length > 0 && (first === '*' || first === key[0]) && defined(rest, key.slice(1))
}
