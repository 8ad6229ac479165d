import { Celery } from '@celery/app'
import { type BackendDriver, BackendUnavailableError } from '@celery/backend'
import { memoryBackend } from '@celery/backend-memory'
import { deferred } from '@celery/promises'
import { memoryTransport } from '@celery/transport-memory'
import { expect, onTestFinished, test } from 'vitest'
import { createWorker } from '../src/index.ts'

const silent = { debug: () => {}, info: () => {}, warning: () => {}, critical: () => {}, isEnabled: () => true }

/** A worker whose result store answers to `open`, and what it has logged as errors. */
function setUp(open: BackendDriver['open']) {
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
  const worker = createWorker(app, { concurrency: 1, pool: 'async', logger: { ...silent, error } })
  onTestFinished(() => worker.stop())
  return { add, complained: complained.promise, lines, worker }
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
