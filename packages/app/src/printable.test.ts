import { expect, test } from 'vitest'
import { printable, printableLines } from './printable.ts'

test.each([
  ['plain ü 💥', 'plain ü 💥'],
  ['a\nb\r\tc', 'a\\nb\\r\\tc'],
  ['\u001b[31mred\u007f\u0085', '\\x1b[31mred\\x7f\\x85'],
  ['\u202eright\u2028', '\\u202eright\\u2028'],
  ['\ud800', '\\ud800'],
  ['\u{e0001}', '\\u{e0001}'],
])('H-32 %j is shown as %s', (text, shown) => {
  expect(printable(text)).toBe(shown)
})

test('H-32 what is long is cut', () => {
  expect(printable('x'.repeat(300))).toBe(`${'x'.repeat(200)}…`)
  expect(printable('abc', 2)).toBe('ab…')
})

test('H-32 text of several lines keeps them, and nothing else that a terminal obeys', () => {
  const text = 'Error: \u001b[2Jno\r\n\tat a (b.js:1)\n\n\u202eend\u2028'
  expect(printableLines(text)).toBe('Error: \\x1b[2Jno\\r\n\tat a (b.js:1)\n\n\\u202eend\\u2028')
})
