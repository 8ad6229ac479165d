import { expect, test } from 'vitest'
import { expandPath, nodeName } from './node-name.ts'

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

test.each([
  ['/var/log/%n%I.log', '/var/log/w1.log', '/var/log/w1-2.log'],
  [
    '%p|%h|%d|%i',
    'w1@box.example.com|box.example.com|example.com|0',
    'w1@box.example.com|box.example.com|example.com|2',
  ],
  ['100%%n%x', '100%n%x', '100%n%x'],
])('WORK-022 the path %s', (pattern, main, second) => {
  expect(expandPath(pattern, 'w1@box.example.com')).toBe(main)
  expect(expandPath(pattern, 'w1@box.example.com', 2)).toBe(second)
})

test('WORK-022 a node whose host has no domain has an empty one', () => {
  expect(expandPath('%n-%d', 'w1@box')).toBe('w1-')
})
