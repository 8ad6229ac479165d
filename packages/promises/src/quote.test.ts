import { expect, test } from 'vitest'
import { quote } from './quote.ts'

test.each([
  ['plain', '"plain"'],
  ['Grüße, 世界 💥', '"Grüße, 世界 💥"'],
  ['say "no"\\', '"say \\"no\\"\\\\"'],
  ['a\r\nb\t\u0000', '"a\\r\\nb\\t\\u0000"'],
  ['\u001b[31m\u007f\u009b', '"\\u001b[31m\\u007f\\u009b"'],
  ['\u2028\u2029\u202e\ufeff', '"\\u2028\\u2029\\u202e\\ufeff"'],
  ['\u{e0001}', '"\\u{e0001}"'],
  ['\ud800', '"\\ud800"'],
])('H-32 %j is shown on one line', (text, shown) => {
  expect(quote(text)).toBe(shown)
})

test('H-32 long text is cut, also amid a character of two units', () => {
  expect(quote('x'.repeat(1_000_000))).toBe(`"${'x'.repeat(100)}…"`)
  expect(quote('abcd', 4)).toBe('"abcd"')
  expect(quote('abc💥', 4)).toBe('"abc\\ud83d…"')
})
