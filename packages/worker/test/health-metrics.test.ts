import { expect, test } from 'vitest'
import { MetricsText } from '../src/health/metrics-text.ts'
import { parseMetrics } from './parse-metrics.ts'

const names = ['plain', 'quo"ted', 'back\\slash', 'two\nlines', 'a,b="c"}', 'ünïcödé 🎉', '', '\\n', '\\']

test('labels are read again as they were, whatever is in them', () => {
  const text = new MetricsText({ hostname: 'celery@"host"' })
    .add(
      'celery_task_received_total',
      'counter',
      'Tasks\nreceived \\ here.',
      names.map((name, value) => ({ labels: { name }, value })),
    )
    .toString()
  const metric = parseMetrics(text).get('celery_task_received_total')
  expect(metric?.samples.map(({ labels }) => labels)).toEqual(
    names.map((name) => ({ name, hostname: 'celery@"host"' })),
  )
  expect(metric?.samples.map(({ value }) => value)).toEqual(names.map((_, index) => index))
})

test('numbers are written as the format has them', () => {
  const values = [0, 1.5, 1e21, 5e-7, -3, Infinity, -Infinity]
  const samples = values.map((value, index) => ({ labels: { index: String(index) }, value }))
  const text = new MetricsText({}).add('x', 'gauge', 'X.', samples).toString()
  expect(
    parseMetrics(text)
      .get('x')
      ?.samples.map(({ value }) => value),
  ).toEqual(values)
})

test('what is said anew takes the place of the old, whole metrics at a time', () => {
  const old = new MetricsText({ a: 'b' })
    .gauge('celery_worker_ready', 'Ready.', 1)
    .gauge('celery_worker_ready_more', 'More.', 2)
    .add('celery_seconds', 'histogram', 'Seconds.', [
      { suffix: '_bucket', labels: { le: '+Inf' }, value: 1 },
      { suffix: '_sum', value: 3 },
      { suffix: '_count', value: 1 },
    ])
    .toString()
  const metrics = parseMetrics(new MetricsText({ a: 'b' }).gauge('celery_worker_ready', 'Ready.', 0).replaceIn(old))
  expect([...metrics].map(([name, { samples }]) => [name, samples[0]?.value])).toEqual([
    ['celery_worker_ready_more', 2],
    ['celery_seconds', 1],
    ['celery_worker_ready', 0],
  ])
})

test.each([
  'celery_worker_ready 1\n',
  '# HELP x X.\n# TYPE x gauge\nx{a="1} 1\n',
  '# HELP x X.\n# TYPE x gauge\nx{a="1"} 1\nx{a="1"} 2\n',
  '# HELP x X.\n# TYPE x counter\nx 1\n',
  '# HELP x X.\n# TYPE x gauge\ny 1\n',
  '# HELP x X.\n# TYPE x gauge\nx NaNa\n',
  '# HELP x X.\n# TYPE x histogram\nx_bucket{le="1"} 2\nx_bucket{le="+Inf"} 1\nx_sum 1\nx_count 1\n',
  '# HELP x X.\n# TYPE x gauge\nx 1',
])('the reader of these tests refuses %j', (text) => {
  expect(() => parseMetrics(text)).toThrow()
})
