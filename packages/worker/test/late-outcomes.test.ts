import { Celery } from '@celery/app'
import { memoryBackend } from '@celery/backend-memory'
import { deferred } from '@celery/promises'
import { memoryTransport } from '@celery/transport-memory'
import { expect, onTestFinished, test } from 'vitest'
import { createWorker, type WorkerOptions } from '../src/index.ts'

/** An app whose task ends at its limit, and calls back by a queue that somebody looks at first. */
function setUp(look: () => Promise<void>, options: WorkerOptions = {}) {
  const transport = memoryTransport()
  const app = new Celery('test', { broker: 'memory://', backend: 'memory://', notify: () => {} })
  app.transports.register('memory', async () => transport)
  const results = memoryBackend()
  app.backends.register('memory', async () => results)
  onTestFinished(() => app.close())
  const alarm = app.task('alarm', () => {})
  const stuck = app.task('stuck', () => new Promise<never>(() => {}), { acksLate: true, timeLimit: 0.01 })
  app.signals.beforeTaskPublish.connect(look, { sender: 'alarm' })
  const left = async (name: string): Promise<number> => {
    const broker = await app.connectionForRead().broker()
    const { held, ready } = await broker.declareQueue({ name })
    return held + ready
  }
  const send = () => stuck.applyAsync([], { linkError: alarm.si().set({ queue: 'alarms' }) })
  return { left, send, worker: createWorker(app, { concurrency: 1, logger: silent, ...options }) }
}

test('P-1 P-10 a stop waits for the outcome of a task that is still being written', async () => {
  let stopped: Promise<void> | undefined
  const { left, send, worker } = setUp(async () => {
    stopped = worker.stop()
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
  })
  await worker.start()
  const result = await send()
  await worker.closed
  await stopped
  expect(await result.state()).toBe('FAILURE')
  expect([await left('celery'), await left('alarms')]).toEqual([0, 1])
})

test('P-10 a stop does not wait longer than its grace for an outcome, and says so', async () => {
  const [asked, looking] = [deferred(), deferred()]
  const errors: string[] = []
  const logger = { ...silent, error: (line: string) => void errors.push(line) }
  const look = (): Promise<void> => {
    asked.resolve()
    return looking.promise
  }
  const { left, send, worker } = setUp(look, { logger, settleGraceMs: 10 })
  await worker.start()
  await send()
  await asked.promise
  await worker.stop()
  expect(errors.at(-1)).toMatch(/^what came of 1 tasks was not known in time/)
  // What comes now is too late, and disturbs nobody.
  looking.resolve()
  await new Promise((resolve) => setImmediate(resolve))
  expect([await left('celery'), await left('alarms')]).toEqual([1, 0])
})

const silent = { debug() {}, info() {}, warning() {}, error() {}, critical() {}, isEnabled: () => false }
