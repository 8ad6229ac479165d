import { InvalidArgumentError } from 'commander'
import { expect, test } from 'vitest'
import {
  parseAmountOption,
  parseCountOption,
  parseJsonOption,
  parseNumberOption,
  parseSizeOption,
  parseTimeOption,
} from './parse-option.ts'

const parseList = parseJsonOption<unknown[]>('an array', Array.isArray)

test.each([
  ['a number', parseNumberOption, '-1.5', -1.5],
  ['an amount', parseAmountOption, '0.25', 0.25],
  ['a count', parseCountOption, '4', 4],
  ['a size', parseSizeOption, '0', 0],
  ['JSON', parseList, '[1, "a"]', [1, 'a']],
  ['a time', parseTimeOption, '2030-01-31T12:00:00Z', new Date(Date.UTC(2030, 0, 31, 12))],
])('reads %s', (_what, parse, text, value) => {
  expect(parse(text)).toEqual(value)
})

test.each([
  ['a number', parseNumberOption, ['', ' ', 'abc', 'NaN', '1e999', '1,5']],
  ['an amount', parseAmountOption, ['-1', 'x']],
  ['a count', parseCountOption, ['0', '1.5', '-2', 'x']],
  ['a size', parseSizeOption, ['1.5', '-2', 'x', '']],
  ['JSON of its shape', parseList, ['', '{}', '[', 'null']],
  ['a time', parseTimeOption, ['', 'soon', '2030-13-01']],
] as const)('refuses what is not %s', (_what, parse, texts) => {
  for (const text of texts) expect(() => parse(text), text).toThrow(InvalidArgumentError)
})
