import { availableParallelism } from 'node:os'
import { Celery, type SettingsInput } from '@celery/app'
import { describe, expect, test } from 'vitest'
import { checkWorkerOptions } from './check-options.ts'
import { createWorker } from './worker.ts'
import type { WorkerOptions } from './worker-options.ts'

const check = (options: object): void => checkWorkerOptions(options as WorkerOptions)

test('CONF-158 as in Celery, concurrency 0 is the number of processors, in the settings and as an option', () => {
  const app = new Celery('test', { broker: 'memory://', setAsCurrent: false, settings: { workerConcurrency: 0 } })
  expect(createWorker(app).concurrency).toBe(availableParallelism())
  app.conf.workerConcurrency = availableParallelism() + 1
  expect(createWorker(app, { concurrency: 0 }).concurrency).toBe(availableParallelism())
})

test.each<[options: WorkerOptions, settings: SettingsInput, message: string]>([
  [
    { timeLimit: 1, softTimeLimit: 5 },
    {},
    'the worker option softTimeLimit must be at most its option timeLimit, which is 1, not 5',
  ],
  [
    { softTimeLimit: 5 },
    { taskTimeLimit: 1 },
    'the worker option softTimeLimit must be at most the setting taskTimeLimit, which is 1, not 5',
  ],
  [
    { timeLimit: 1 },
    { taskSoftTimeLimit: 5 },
    'the setting taskSoftTimeLimit must be at most its option timeLimit, which is 1, not 5',
  ],
])('a soft limit that would never be reached is refused: %j over %j', (options, settings, message) => {
  const app = new Celery('test', { broker: 'memory://', setAsCurrent: false, settings })
  expect(() => createWorker(app, options)).toThrow(
    expect.objectContaining({ message, code: 'ERR_CELERY_IMPROPERLY_CONFIGURED' }),
  )
})

test('limits in order, or of which one is none, pass', () => {
  const app = new Celery('test', { broker: 'memory://', setAsCurrent: false, settings: { taskSoftTimeLimit: 5 } })
  for (const timeLimit of [0, 5, 6]) expect(() => createWorker(app, { timeLimit })).not.toThrow()
})

test('settings that came one by one are refused where the worker is made', () => {
  const app = new Celery('test', { broker: 'memory://', setAsCurrent: false })
  app.conf.taskTimeLimit = 1
  app.conf.taskSoftTimeLimit = 5
  expect(() => createWorker(app)).toThrow(
    'the setting taskSoftTimeLimit must be at most the setting taskTimeLimit, which is 1, not 5',
  )
})

describe('options of a worker', () => {
  test('that are right, or left out, pass', () => {
    check({})
    check({ concurrency: 3, queues: ['a', 'b'], pool: 'gevent', timeLimit: 0.5, hostname: undefined })
    check({ appModule: import.meta.url, execArgv: [], include: ['./tasks.js'], prefetchMultiplier: 0 })
    check({ appModule: `${import.meta.url}?v=2`, logLevel: 'info', optimization: 'fair', settings: {} })
    check({ appModule: 'data:text/javascript,export const app = 1' })
  })

  test.each([
    [{ concurency: 3 }, 'there is no worker option "concurency"; did you mean concurrency?'],
    [{ concurrency: -2 }, 'the worker option concurrency must be a whole number, 0 or more, not -2'],
    [{ concurrency: 1.5 }, 'the worker option concurrency must be a whole number, 0 or more, not 1.5'],
    [{ concurrency: Number.NaN }, 'the worker option concurrency must be a whole number, 0 or more, not NaN'],
    [{ queues: 'celery' }, "the worker option queues must be a list of at least one queue name, not 'celery'"],
    [{ queues: [] }, 'the worker option queues must be a list of at least one queue name, not []'],
    [{ timeLimit: '30' }, "the worker option timeLimit must be a number, 0 or more, not '30'"],
    [{ disablePrefetch: 'no' }, "the worker option disablePrefetch must be true or false, not 'no'"],
    [{ optimization: 'fast' }, "the worker option optimization must be 'default' or 'fair', not 'fast'"],
    [
      { logLevel: 'INFO' },
      "the worker option logLevel must be one of debug, info, warning, error, critical, not 'INFO'",
    ],
  ])('%j is refused', (options, message) => {
    expect(() => check(options)).toThrow(expect.objectContaining({ message, code: 'ERR_CELERY_IMPROPERLY_CONFIGURED' }))
  })

  test.each(['./app.js', 'nowhere', 'file:///nowhere/app.js', '/nowhere/app.js', 7])(
    'appModule %j is refused: a process could not import it',
    (appModule) => {
      expect(() => check({ appModule })).toThrow(/appModule must be the URL of the module .*import\.meta\.url/)
    },
  )

  test('an option unlike any other is refused with those that there are', () => {
    expect(() => check({ zzz: 1 })).toThrow(/there is no worker option "zzz"; known are hostname, concurrency, /)
  })

  test('console is no logger', () => {
    expect(() => check({ logger: console })).toThrow(/logger must be an object with the methods debug, info, warning/)
  })
})
