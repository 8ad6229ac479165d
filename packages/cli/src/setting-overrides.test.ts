import { expect, test } from 'vitest'
import { parseSettings } from './setting-overrides.ts'

test.each([
  ['worker.prefetch_multiplier=1', { workerPrefetchMultiplier: 1 }],
  ['worker_prefetch_multiplier=1', { workerPrefetchMultiplier: 1 }],
  ['.prefetch_multiplier=1', { workerPrefetchMultiplier: 1 }],
  ['taskAcksLate=true', { taskAcksLate: true }],
  ['task_acks_late=True', { taskAcksLate: true }],
  ['accept_content=["json","yaml"]', { acceptContent: ['json', 'yaml'] }],
  ['broker_url=redis://a/0?x=1', { brokerUrl: 'redis://a/0?x=1' }],
  ['timezone=', { timezone: '' }],
])('WORK-020 %s', (word, settings) => {
  expect(parseSettings([word])).toEqual(settings)
})

test.each([
  ['nothing', 'write NAME=VALUE'],
  ['=1', 'write NAME=VALUE'],
  ['', 'write NAME=VALUE'],
  ['a b=1', 'there is no setting'],
  ['task_acks_late=maybe', 'cannot be read as boolean'],
])('%j is no setting', (word, message) => {
  expect(() => parseSettings([word])).toThrow(expect.objectContaining({ name: 'UsageError' }))
  expect(() => parseSettings([word])).toThrow(message)
})
