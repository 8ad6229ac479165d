import { expect, test } from 'vitest'
import { BlockedLoop } from './blocked-loop.ts'
import type { HealthReport } from './health-report.ts'
import { LastTitle, readTitle } from './last-title.ts'
import { type MainThreadQuestion, MainThreadSource } from './main-thread-source.ts'

const report: HealthReport = {
  node: 'celery@host',
  pid: 7,
  state: 'running',
  ready: true,
  live: true,
  reasons: [],
  startedAt: '2030-01-01T00:00:00.000Z',
  broker: { address: 'memory://', connected: true, losses: 0 },
  pool: { name: 'async', size: 2, healthy: true, stuck: 0 },
  queues: ['celery'],
  active: 0,
  processed: 0,
  consumedAt: null,
}

/** A source whose main loop turned last so many seconds ago. */
function sourceOf(seconds: number) {
  const beat = new BigInt64Array(new SharedArrayBuffer(8))
  const turned = (ago: number): void => void Atomics.store(beat, 0, process.hrtime.bigint() - BigInt(ago * 1e9))
  turned(seconds)
  const last = new LastTitle()
  const questions: MainThreadQuestion[] = []
  const source = new MainThreadSource(new BlockedLoop({ beat, lastTask: last.shared }), (question) =>
    questions.push(question),
  )
  return { last, questions, source, turned }
}

test('asks the main thread while that turns', async () => {
  const { questions, source } = sourceOf(0)
  const asked = source.report()
  expect(questions).toEqual([{ type: 'ask', id: 1, what: 'report' }])
  source.answered({ type: 'answer', id: 1, report })
  expect(await asked).toEqual(report)
  expect(await source.notLive()).toBeUndefined()
})

test('a main loop that pauses for a moment is what it was last', async () => {
  const { source } = sourceOf(5)
  source.answered({ type: 'answer', report })
  expect(await source.report()).toEqual(report)
})

test('P-12 a main loop that is blocked for more than 10 s is not ready, and for more than 60 s not live', async () => {
  const { last, source, turned } = sourceOf(11)
  source.answered({ type: 'answer', report })
  last.set('shop.resize[1]')
  last.set('shop.count[2]')
  const message = (seconds: number) =>
    `the main loop has been blocked for ${seconds} s probably by task shop.count[2], the last that was started`
  expect(await source.report()).toEqual({
    ...report,
    ready: false,
    reasons: [{ code: 'blocked', message: message(11) }],
  })
  expect(await source.notLive()).toBeUndefined()
  turned(61)
  expect(await source.report()).toMatchObject({ ready: false, live: false })
  expect(await source.notLive()).toEqual({ code: 'blocked', message: message(61) })
})

test('of a blocked worker the numbers are the last ones, but for those that say so', async () => {
  const { questions, source, turned } = sourceOf(0)
  source.answered({ type: 'answer', report })
  const asked = source.metrics()
  const old =
    '# HELP celery_worker_ready Ready.\n# TYPE celery_worker_ready gauge\ncelery_worker_ready{hostname="celery@host"} 1\n' +
    '# HELP x X.\n# TYPE x gauge\nx 5\n'
  source.answered({ type: 'answer', id: questions[0]?.id ?? 0, metrics: old })
  expect(await asked).toBe(old)
  turned(30)
  const lines = (await source.metrics()).split('\n').filter((line) => !line.startsWith('#') && line !== '')
  expect(lines).toEqual([
    'x 5',
    'celery_worker_ready{hostname="celery@host"} 0',
    'celery_worker_not_ready_reason{reason="blocked",hostname="celery@host"} 1',
    expect.stringMatching(/^celery_worker_event_loop_lag_seconds\{hostname="celery@host"\} 30\.\d+$/),
  ])
})

test('without a word from the main thread there is nothing to tell', async () => {
  await expect(sourceOf(20).source.report()).rejects.toThrow('has not said anything yet')
})

test('a title too long for its place is cut, and a character is not', () => {
  const title = new LastTitle()
  expect(readTitle(title.shared)).toBe('')
  title.set(`${'x'.repeat(1_018)}é!`)
  expect(readTitle(title.shared)).toBe(`${'x'.repeat(1_018)}é`)
  title.set(`${'x'.repeat(1_019)}é!`)
  expect(readTitle(title.shared)).toBe('x'.repeat(1_019))
})
