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

  test('H-33 takes time that grows with the length of the name, and no faster', () => {
    const letters = fc.constantFrom('a', 'b', '.')
    const patterns = fc.string({ unit: fc.oneof(letters, fc.constant('*')), minLength: 1, maxLength: 12 })
    const names = fc.string({ unit: letters, minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(patterns, names, (pattern, part) => {
        for (const times of [1, 10, 100]) {
          const name = part.repeat(times)
          expect(looksFor(pattern, name)).toBeLessThanOrEqual((pattern.length + 1) * (name.length + 1))
        }
      }),
      { numRuns: 500 },
    )
  })

  test('H-33 takes no more for a name of 50,000 characters made for the pattern', () => {
    expect(looksFor('*a*a*a*b', 'a'.repeat(50_000))).toBeLessThanOrEqual(9 * 50_001)
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

/** Text that counts how often somebody looks at a character of it. */
function counted(text: string): { readonly text: string; readonly looks: () => number } {
  let looks = 0
  const proxy = new Proxy(Object(text) as object, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) looks++
      return Reflect.get(target, key)
    },
  })
  return { text: proxy as unknown as string, looks: () => looks }
}

function looksFor(pattern: string, text: string): number {
  const { looks, text: proxy } = counted(text)
  matchesGlob(pattern, proxy)
  return looks()
}
