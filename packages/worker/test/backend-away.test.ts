import { setImmediate as nextTurn } from 'node:timers/promises'
import { Celery } from '@celery/app'
import { type BackendDriver, BackendUnavailableError } from '@celery/backend'
import { memoryBackend } from '@celery/backend-memory'
import { deferred } from '@celery/promises'
import { memoryTransport } from '@celery/transport-memory'
import { expect, onTestFinished, test } from 'vitest'
import { createWorker, type WorkerOptions } from '../src/index.ts'

const silent = { debug: () => {}, info: () => {}, warning: () => {}, critical: () => {}, isEnabled: () => true }

/** A worker whose result store answers to `open`, and what it has logged as errors. */
function setUp(open: BackendDriver['open'], options: WorkerOptions = { concurrency: 1 }) {
  const app = new Celery('test', { broker: 'memory://', backend: 'away://', notify: () => {} })
  const transport = memoryTransport()
  app.transports.register('memory', async () => transport)
  app.backends.register('away', async () => ({ name: 'away', open }))
  onTestFinished(() => app.close())
  const add = app.task('add', (a: number, b: number) => a + b)
  const lines: string[] = []
  const complained = deferred()
  const error = (line: string): void => {
    lines.push(line)
    complained.resolve()
  }
  const worker = createWorker(app, { ...options, pool: 'async', logger: { ...silent, error } })
  onTestFinished(() => worker.stop())
  return { add, app, complained: complained.promise, lines, worker }
}

test('F-24 a worker that starts while the result store is away says so, waits, and works when it is there', async () => {
  const results = memoryBackend()
  let tries = 0
  const { add, lines, worker } = setUp(async (url, options) => {
    if (++tries < 3) throw new BackendUnavailableError(url, 'nobody listens there')
    return results.open(url, options)
  })
  await worker.start()
  expect(tries).toBe(3)
  expect(lines).toHaveLength(2)
  for (const line of lines) {
    expect(line).toMatch(
      /^cannot open the result store: the result store at away:\/\/ is not available: nobody listens there; trying again in 0\.\d s$/,
    )
  }
  expect(await (await add.delay(1, 2)).get()).toBe(3)
})

test('F-24 a worker that waits for the result store can be stopped', async () => {
  const { complained, worker } = setUp(async (url) => {
    throw new BackendUnavailableError(url, 'nobody listens there')
  })
  const started = worker.start()
  started.catch(() => {})
  await complained
  await worker.stop()
  await expect(started).rejects.toMatchObject({ code: 'ERR_CELERY_BLUEPRINT_STOPPED' })
})

test('what does not mend by waiting ends the start', async () => {
  const { worker } = setUp(async () => {
    throw new TypeError('there is no such database')
  })
  await expect(worker.start()).rejects.toThrow('there is no such database')
})

test('F-36 P-12 uses a free slot while the result store takes nothing, as long as there is room for results', async () => {
  const results = memoryBackend()
  const { app, worker } = setUp(
    async (url, options) => {
      const backend = await results.open(url, options)
      const store = async (): Promise<void> => {
        throw new BackendUnavailableError(url, 'nobody listens there')
      }
      // Elsewhere than the broker, so that what waits for it is kept.
      return Object.defineProperties(backend, { store: { value: store }, domain: { value: undefined } })
    },
    { concurrency: 4, prefetchMultiplier: 1 },
  )
  const released = deferred()
  onTestFinished(() => released.resolve())
  let begun = 0
  const counted = async (): Promise<void> => {
    begun++
  }
  const long = app.task('long', async () => {
    begun++
    await released.promise
  })
  const quick = app.task('quick', counted)
  const unkept = app.task('unkept', counted, { ignoreResult: true })
  const until = async (count: number): Promise<void> => {
    while (begun < count) await nextTurn()
  }
  await worker.start()
  for (let task = 0; task < 3; task++) await long.delay()
  await until(3)
  // Four windows of results may wait: with those that are still to come from the tasks that run, there are as many.
  for (let task = 0; task < 13; task++) {
    await quick.delay()
    await until(4 + task)
  }
  for (let task = 0; task < 20; task++) await unkept.delay()
  await until(36)
})
