import { expect, test } from 'vitest'
import type { HealthReport } from './health-report.ts'
import { readHealthReport } from './read-health-report.ts'

const report: HealthReport = {
  node: 'celery@host',
  pid: 7,
  state: 'running',
  ready: false,
  live: true,
  reasons: [{ code: 'pool', message: 'the pool cannot start a process' }],
  startedAt: '2030-01-01T00:00:00.000Z',
  broker: { address: 'memory://', connected: true, losses: 0 },
  pool: { name: 'async', size: 2, healthy: true, stuck: 0 },
  queues: ['celery'],
  active: 0,
  processed: 0,
  consumedAt: null,
}

test('reads what a worker has written, with more than is known today', () => {
  expect(readHealthReport(JSON.stringify(report))).toEqual(report)
  expect(readHealthReport(JSON.stringify({ ...report, mood: 'fine' }))).toEqual(report)
})

test.each([
  ['null', 'the report is no object'],
  [JSON.stringify({ ...report, node: 7 }), 'node of the report is not a string'],
  [JSON.stringify({ ...report, ready: 'yes' }), 'ready of the report is not true or false'],
  [JSON.stringify({ ...report, pool: null }), 'pool of the report is no object'],
  [JSON.stringify({ ...report, reasons: [{ code: 'pool' }] }), 'message of a reason is not a string'],
  [JSON.stringify({ ...report, queues: 'celery' }), 'queues of the report is not a list'],
  ['{', 'JSON'],
])('names what is wrong with %s', (text, problem) => {
  expect(() => readHealthReport(text)).toThrow(problem)
})
