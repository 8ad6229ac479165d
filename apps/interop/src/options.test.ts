import { expect, test } from 'vitest'
import { readOptions, UsageError } from './options.ts'

test('without options everything is asked', () => {
  expect(readOptions([])).toEqual({ only: undefined, keep: false, short: false, selfCheck: false })
})

test('what is given is read, what makes no sense is refused', () => {
  expect(readOptions(['--only', 'json|yaml', '--short', '--self-check', '--keep'])).toEqual({
    only: 'json|yaml',
    keep: true,
    short: true,
    selfCheck: true,
  })
  expect(() => readOptions(['--only', '('])).toThrow(UsageError)
  expect(() => readOptions(['--fast'])).toThrow(UsageError)
})
