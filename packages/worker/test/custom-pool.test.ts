import { fileURLToPath } from 'node:url'
import { Celery } from '@celery/app'
import { memory as memoryBackend } from '@celery/backend-memory'
import { memoryTransport } from '@celery/transport-memory'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { startWorker, type Worker, type WorkerOptions } from '../src/index.ts'

const module = fileURLToPath(new URL('./fixtures/own-pool.mjs', import.meta.url))

function setUp() {
  const app = new Celery('test', { broker: 'one://', backend: 'memory://', notify: () => {} })
  const transport = memoryTransport()
  app.transports.register('one', async () => transport)
  app.backends.register('memory', async () => memoryBackend)
  onTestFinished(() => app.close())
  const start = async (options: WorkerOptions): Promise<Worker> => {
    const logger = { debug() {}, info() {}, warning() {}, error() {}, critical() {}, isEnabled: () => false }
    const worker = await startWorker(app, { logger, concurrency: 1, ...options })
    onTestFinished(() => worker.stop())
    return worker
  }
  return { app, start }
}

afterEach(() => {
  vi.unstubAllEnvs()
})

test('WORK-003 POOL-007 tasks run in a pool of one’s own, which a module makes', async () => {
  const { app, start } = setUp()
  const order: string[] = []
  const note = app.task('note', (name: string) => void order.push(name))
  const limited = app.task('limited', async (context) => String(await aborted(context.signal)), {
    bind: true,
    softTimeLimit: 0.05,
  })
  const calls = [await note.delay('a'), await note.delay('b'), await note.delay('c')]
  const worker = await start({ pool: `${module}:createPool` })
  for (const call of calls) await call.get({ timeout: 20 })
  expect(order).toEqual(['c', 'b', 'a'])
  expect(await (await limited.delay()).get({ timeout: 20 })).toBe('Error: over')
  expect(worker.poolInfo).toEqual({ implementation: 'newest-first', processed: 4 })
})

test('POOL-007 the environment names it where the pool is called custom, and its default export will do', async () => {
  const { app, start } = setUp()
  const add = app.task('add', (x: number, y: number) => x + y)
  vi.stubEnv('CELERY_CUSTOM_WORKER_POOL', module)
  const worker = await start({ pool: 'custom' })
  expect(await (await add.delay(2, 3)).get({ timeout: 20 })).toBe(5)
  expect(worker.poolInfo).toMatchObject({ implementation: 'newest-first' })
})

test.each([
  ['custom', 'the pool "custom" is the one that CELERY_CUSTOM_WORKER_POOL names, which is not set'],
  ['prefrok', 'there is no pool "prefrok"; did you mean prefork?'],
  [
    'fibers',
    'there is no pool "fibers"; known are prefork, processes, threads, solo, async, gevent, eventlet; one of your own is named by its module: ./my-pool.js:createPool',
  ],
  ['tasks:pool', 'there is no pool "tasks:pool"; known are prefork, processes, '],
  ['./nowhere.js', 'cannot find the module "./nowhere.js" to import'],
  [`${module}:nothing`, `workerPool: ${module} has no export "nothing"`],
  [`${module}:notAFunction`, 'is not a function; the module of a pool exports a function that returns a TaskPool'],
  [`${module}:neverHealthy`, 'made something whose healthy is neither true nor false'],
  [`${module}:withoutSlots`, 'made something whose concurrency is no whole number from 1'],
  [`${module}:oddlyStuck`, 'made something whose stuck is no whole number from 0'],
  [`${module}:makesNothing`, 'made something without start, recall, stop, terminate, info; the module of a pool'],
])('a worker with the pool %s says what is wrong with it', async (pool, message) => {
  const { start } = setUp()
  await expect(start({ pool })).rejects.toThrow(message)
})

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }))
}
