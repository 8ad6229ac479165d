import { Celery, type SettingsInput } from '@celery/app'
import { memory as memoryBackend } from '@celery/backend-memory'
import { memoryTransport } from '@celery/transport-memory'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startWorker } from '../src/index.ts'

const deadlineMs = 20_000

/** Runs a task, brings its message again as if its acknowledgement had been lost, and tells how often the task ran. */
async function runsOf(settings: SettingsInput, isLinked = false) {
  const transport = memoryTransport()
  const app = new Celery('test', {
    broker: 'one://',
    backend: 'memory://',
    settings: { taskAcksLate: true, ...settings },
    notify: () => {},
  })
  app.transports.register('one', async () => transport)
  app.backends.register('memory', async () => memoryBackend)
  onTestFinished(() => app.close())
  const log: string[] = []
  const add = (line: string): void => void log.push(line)
  const logger = { debug: add, info: add, warning: add, error: add, critical: add, isEnabled: () => true }
  let runs = 0
  const count = app.task('count', () => ++runs)
  const flag = app.task('flag', () => 'done')
  const start = () => startWorker(app, { logger, concurrency: 1 })

  let current = await start()
  const taskId = app.newId()
  expect(await (await count.applyAsync([], { taskId })).get({ timeout: deadlineMs / 1_000 })).toBe(1)
  await current.stop()
  const called: string[] = []
  const callback = app.task('callback', () => void called.push('callback'))
  // The worker that stored its result was lost before it called anybody back.
  await count.applyAsync([], { taskId, ...(isLinked && { link: callback.si() }) })
  await using connection = app.connectionForRead()
  const broker = await connection.broker()
  const [delivery] = await broker.fetch(['celery'], { max: 1, signal: AbortSignal.timeout(deadlineMs) })
  await broker.settle([
    { delivery: delivery as NonNullable<typeof delivery>, action: { type: 'requeue', counted: true } },
  ])
  current = await start()
  if (isLinked) await vi.waitFor(() => expect(called).toEqual(['callback']), { timeout: deadlineMs })
  // Behind it in the queue.
  await (await flag.delay()).get({ timeout: deadlineMs / 1_000 })
  await current.stop()
  const { held, ready } = await broker.declareQueue({ name: 'celery' })
  expect(held + ready).toBe(0)
  return { runs, log: log.join('\n') }
}

test('WORK-048 CONF-161 a message that came again runs again by default', async () => {
  expect(await runsOf({})).toMatchObject({ runs: 2 })
})

test('WORK-048 CONF-161 with workerDeduplicateSuccessfulTasks it does not where its task succeeded, as the store knows', async () => {
  const { log, runs } = await runsOf({ workerDeduplicateSuccessfulTasks: true })
  expect(runs).toBe(1)
  expect(log).toMatch(/Task count\[.*\] has succeeded already; its message came again and is dropped/)
})

test('P-8 WORK-048 it does where something follows, of which the store does not know that it was sent', async () => {
  expect(await runsOf({ workerDeduplicateSuccessfulTasks: true }, true)).toMatchObject({ runs: 2 })
})

test('WORK-048 CONF-161 only late acknowledged tasks are asked after', async () => {
  const settings = { workerDeduplicateSuccessfulTasks: true, taskAcksLate: false }
  expect(await runsOf(settings)).toMatchObject({ runs: 2 })
})
