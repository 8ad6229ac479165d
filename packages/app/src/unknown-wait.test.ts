import { expect, test } from 'vitest'
import { readUnknownWait, unknownWaitHeaders, withoutUnknownWait } from './unknown-wait.ts'

test('what is written is read, and taken out again', () => {
  const headers = { task: 'a', ...unknownWaitHeaders({ waitedMs: 3_000, redeliveries: 2 }) }
  expect(readUnknownWait(headers)).toEqual({ waitedMs: 3_000, redeliveries: 2 })
  expect(withoutUnknownWait(headers)).toEqual({ task: 'a' })
  expect(readUnknownWait(withoutUnknownWait(headers))).toBeUndefined()
})

test.each([
  ['nothing', {}],
  ['null', { 'x-celery-unknown': null }],
  ['text', { 'x-celery-unknown': 'for ever' }],
  ['a list', { 'x-celery-unknown': [1, 2] }],
  ['half of it', { 'x-celery-unknown': { waited_ms: 1 } }],
  ['a negative wait, which would never end', { 'x-celery-unknown': { waited_ms: -1e15, redeliveries: 0 } }],
  ['a wait beyond all numbers', { 'x-celery-unknown': { waited_ms: Number.POSITIVE_INFINITY, redeliveries: 0 } }],
  ['no number of redeliveries', { 'x-celery-unknown': { waited_ms: 1, redeliveries: Number.NaN } }],
])('%s is no wait', (_what, headers) => {
  expect(readUnknownWait(headers)).toBeUndefined()
})
