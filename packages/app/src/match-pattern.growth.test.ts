import fc from 'fast-check'
import { expect, test } from 'vitest'
import { matchesGlob } from './match-pattern.ts'

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

test('H-33 the time that a glob takes grows with the length of the name, and no faster', () => {
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

test('H-33 a name of 50,000 characters made for the pattern is no exception', () => {
  expect(looksFor('*a*a*a*b', 'a'.repeat(50_000))).toBeLessThanOrEqual(9 * 50_001)
})
