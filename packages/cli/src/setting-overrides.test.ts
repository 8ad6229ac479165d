import { expect, test } from 'vitest'
import { parseSettings } from './setting-overrides.ts'

test.each([
  ['worker.prefetch_multiplier=1', { worker_prefetch_multiplier: 1 }],
  ['worker_prefetch_multiplier=1', { worker_prefetch_multiplier: 1 }],
  ['taskAcksLate=true', { taskAcksLate: true }],
  ['task_acks_late=True', { task_acks_late: true }],
  ['accept_content=["json","yaml"]', { accept_content: ['json', 'yaml'] }],
  ['broker_url=redis://a/0?x=1', { broker_url: 'redis://a/0?x=1' }],
  ['timezone=', { timezone: '' }],
])('WORK-020 %s', (word, settings) => {
  expect(parseSettings([word])).toEqual(settings)
})

test.each(['nothing', '=1', 'a b=1', ''])('%j is no setting', (word) => {
  expect(() => parseSettings([word])).toThrow('write NAME=VALUE')
})
