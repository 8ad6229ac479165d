import { expect, test } from 'vitest'
import { otherName, runtimeBounds, TaskMetrics } from './task-metrics.ts'

test('counts what came of the tasks of each name, and how long they ran', () => {
  const metrics = new TaskMetrics(() => true)
  metrics.received('add')
  metrics.started('add')
  metrics.ended('add', 'SUCCESS', 0.02)
  metrics.ended('add', 'RETRY', 1_000)
  metrics.failed('add')
  const [[name, counts] = []] = [...metrics.entries()]
  expect(name).toBe('add')
  expect(counts).toMatchObject({ received: 1, started: 1, succeeded: 1, retried: 1, failed: 1, rejected: 0 })
  expect(counts).toMatchObject({ runtimeSum: 1_000.02, runtimeCount: 2 })
  expect(counts?.runtimes).toEqual(runtimeBounds.map((bound) => (bound === 0.025 ? 1 : 0)))
})

test('names that nobody declared here share one entry, however many messages name one', () => {
  const metrics = new TaskMetrics((name) => name === 'add')
  for (let index = 0; index < 1_000; index++) metrics.received(`made-up-${index}`)
  metrics.received('add')
  expect([...metrics.entries()].map(([name, { received }]) => [name, received])).toEqual([
    [otherName, 1_000],
    ['add', 1],
  ])
})

test('beyond 500 names the others share one entry', () => {
  const metrics = new TaskMetrics(() => true)
  for (let index = 0; index < 600; index++) metrics.received(`task-${index}`)
  const entries = new Map(metrics.entries())
  expect(entries.size).toBe(501)
  expect(entries.get(otherName)?.received).toBe(100)
})
