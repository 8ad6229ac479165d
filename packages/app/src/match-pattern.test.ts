import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { matchesExpression, matchesGlob } from './match-pattern.ts'

describe('a glob', () => {
  test.each([
    ['*', '', true],
    ['*', 'anything', true],
    ['a.*', 'a.b', true],
    ['a.*', 'a.', true],
    ['a.*', 'a', false],
    ['a.*', 'b.a.c', false],
    ['*.add', 'tasks.add', true],
    ['*.add', 'tasks.address', false],
    ['a*c*e', 'abcde', true],
    ['a*c*e', 'abcdef', false],
    ['**a**', 'bab', true],
    ['a.b', 'a.b', true],
    ['a.b', 'axb', false],
    ['[a-z]*', 'a', false],
    ['?*', 'a', false],
    ['é*', 'étude', true],
  ])('%s matches %s: %s', (pattern, text, matches) => {
    expect(matchesGlob(pattern, text)).toBe(matches)
  })

  test('matches as the regular expression does that says the same', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 })
    const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 6 })
    fc.assert(
      fc.property(patterns, texts, (pattern, text) => {
        const regExp = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
        expect(matchesGlob(pattern, text)).toBe(regExp.test(text))
      }),
      { numRuns: 500 },
    )
  })

  test('H-33 does not take longer and longer for a text made to', () => {
    // A backtracking regular expression would need longer than there is time.
    const pattern = `${'*a'.repeat(50)}b`
    const before = performance.now()
    expect(matchesGlob(pattern, 'a'.repeat(20_000))).toBe(false)
    expect(performance.now() - before).toBeLessThan(2_000)
  })
})

describe('an expression', () => {
  test.each([
    [/video/, 'video.encode', true],
    [/encode/, 'video.encode', false],
    [/.*encode/, 'video.encode', true],
    [/(video|image)\.tasks\..*/, 'image.tasks.crop', true],
    [/VIDEO/i, 'video.encode', true],
    [/video/g, 'video.encode', true],
    [/^video$/, 'video.encode', false],
  ])('CALL-036 %s matches the beginning of %s: %s', (pattern, text, matches) => {
    // Twice, because some expressions remember where they were.
    expect([matchesExpression(pattern, text), matchesExpression(pattern, text)]).toEqual([matches, matches])
  })

  test('H-33 that would take ages is given up', () => {
    const name = `${'a'.repeat(200)}!`
    expect(() => matchesExpression(/(a+)+$/, name)).toThrow('the route /(a+)+$/ takes too long for the task "aaa')
    // It did not spoil the next one.
    expect(matchesExpression(/(a+)+$/, 'aaaa')).toBe(true)
  })
})
