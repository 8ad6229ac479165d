import { expect, test } from 'vitest'
import { nodeName } from './node-name.ts'

test.each([
  [undefined, 'celery@box.example.com'],
  ['', 'celery@box.example.com'],
  ['w1', 'w1@box.example.com'],
  ['w1@', 'w1@'],
  ['w1@%h', 'w1@box.example.com'],
  ['%n-w@%d', 'box-w@example.com'],
  ['w1@elsewhere', 'w1@elsewhere'],
  ['100%%@%n', '100%@box'],
  ['%x@a@b', '%x@a@b'],
])('%s becomes %s', (pattern, name) => {
  expect(nodeName(pattern, 'box.example.com')).toBe(name)
})

test('a host without a domain has an empty one', () => {
  expect(nodeName('%n@%d', 'box')).toBe('box@')
})
