import type { Celery } from '@celery/app'
import type { TraceOutcome } from '@celery/app/internal'
import { ManualClock } from '@celery/promises'
import { expect, test, vi } from 'vitest'
import type { ActiveTask } from './active-task.ts'
import { CompletedTasks } from './completed-tasks.ts'
import { consoleLogger } from './logger.ts'
import { TaskEndings } from './task-endings.ts'

const write = { taskId: 'a', state: 'SUCCESS', record: '{}' }

/** Endings that say what they do, of a task that comes to its end with late ack. */
function endingsOf(app: Partial<Celery['tracer']>, onTimeout: 'ack' | 'dead' | 'requeue' = 'ack') {
  const told: unknown[] = []
  const heard: string[] = []
  const endings = new TaskEndings({
    app: { tracer: app } as Celery,
    logger: { ...consoleLogger({ level: 'critical' }), error: (line) => heard.push(line) },
    completed: undefined,
    isCold: () => false,
    canPark: true,
    finish: (ended, { task, ...end }) => {
      expect(task).toBe(ended)
      told.push(end)
    },
    release: (_task, action) => told.push(action),
  })
  const task = (acknowledged?: object) =>
    ({
      title: 'add[a]',
      delivery: 'its delivery',
      acknowledged,
      readInput: () => ({}),
      strategy: { onTimeout },
    }) as never
  return { endings, heard, task, told }
}

const failure = {
  state: 'FAILURE',
  runtime: 0,
  text: 'TimeLimitExceeded()',
  publish: ['errback'],
  write: 'record',
  unreached: ['next'],
}
const timeout = { type: 'timeout', limit: 1, stuck: false } as const

test.each([
  ['comes back without having failed', 'requeue', undefined, { type: 'requeue', counted: true }],
  [
    'fails where it was acknowledged early',
    'requeue',
    {},
    { publish: ['errback'], write: 'record', unreached: ['next'] },
  ],
  ['fails', 'ack', undefined, { delivery: 'its delivery', publish: ['errback'], write: 'record', unreached: ['next'] }],
] as const)('CONF-026 what ran over its limit %s', (_what, onTimeout, acknowledged, expected) => {
  const { endings, task, told } = endingsOf({ failed: () => failure as never }, onTimeout)
  endings.done(task(acknowledged), timeout)
  expect(told).toEqual([expected])
})

test.each([
  ['late', undefined, true, { delivery: 'its delivery', publish: ['errback'], write: 'record', unreached: ['next'] }],
  ['early', {}, true, { publish: ['errback'], write: 'record', unreached: ['next'] }],
  [
    'late, and failures are kept',
    undefined,
    false,
    {
      delivery: 'its delivery',
      action: { type: 'dead', reason: 'the task was run, but what came of it cannot be told: too large' },
      publish: ['errback'],
      write: 'record',
      unreached: ['next'],
    },
  ],
])(
  'P-2 what was run and cannot be told fails, and does not come back (ack %s)',
  (_when, acknowledged, acksOnFailure, expected) => {
    const errors: unknown[] = []
    const failed = (_input: unknown, error: unknown) => {
      errors.push(error)
      return failure as never
    }
    const strategy = { acksLate: acknowledged === undefined, rejectOnWorkerLost: true, acksOnFailure }
    const { endings, heard, task, told } = endingsOf({ failed })
    endings.done({ ...(task(acknowledged) as object), strategy } as never, { type: 'untold', reason: 'too large' })
    expect(told).toEqual([expected])
    expect(errors).toMatchObject([{ name: 'OutcomeUntoldError', code: 'ERR_CELERY_OUTCOME_UNTOLD' }])
    expect(heard).toEqual(['Task add[a] fails: the task was run, but what came of it cannot be told: too large'])
  },
)

test.each([
  ['the process that ran the task ended before it: exit status 1', {}],
  ['thread 3, which ran the task, ended before it: exit status 1', { ranBy: 'thread 3, which ran the task,' }],
])('P-2 a lost task is told of in these words: %s', (words, ranBy) => {
  const errors: unknown[] = []
  const failed = (_input: unknown, error: unknown) => {
    errors.push(error)
    return failure as never
  }
  const { endings, heard, task } = endingsOf({ failed })
  endings.done(task(), { type: 'lost', reason: 'exit status 1', ...ranBy })
  expect(errors).toMatchObject([{ name: 'WorkerLostError', message: words }])
  expect(heard).toEqual([`Task add[a] lost: ${words}`])
})

test('an end that cannot be told is logged, and its message goes back: nobody else would hear', async () => {
  const { endings, heard, task, told } = endingsOf({ failed: () => Promise.reject(new Error('no words')) })
  endings.done(task(), timeout)
  await vi.waitFor(() => expect(told).toEqual([{ type: 'requeue', counted: true }]))
  expect(heard).toContain('The end of task add[a] could not be told: Error: no words')
})

test.each([
  ['is known to have succeeded where nothing is to be stored', undefined, []],
  ['whose result is still to be stored is asked after in the store', write, ['a']],
])('WORK-048 a task %s', async (_name, toStore, expected) => {
  const asked: string[] = []
  const fetch = async (ids: readonly string[]) => {
    asked.push(...ids)
    return new Map()
  }
  const completed = new CompletedTasks(async () => ({ fetch }) as never)
  const endings = new TaskEndings({
    app: {} as Celery,
    logger: consoleLogger({ level: 'critical' }),
    completed,
    isCold: () => false,
    canPark: true,
    finish: () => {},
    release: () => {},
  })
  const task = { id: 'a', title: 'add[a]', delivery: {}, strategy: { acksOnFailure: true } } as unknown as ActiveTask
  const outcome = { state: 'SUCCESS', text: '5', runtimeMs: 1, write: toStore } as unknown as TraceOutcome
  endings.done(task, { type: 'outcome', outcome })
  expect(await completed.has('a')).toBe(toStore === undefined)
  expect(asked).toEqual(expected)
})

test.each([
  [
    'at once the first time, then later and later, and at once to be buried',
    {},
    [0, 2_000, 4_000, 8_000, 16_000, 0, 0],
  ],
  ['half a minute later at most', { maxRedeliveries: 8 }, [0, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 0]],
  ['at once where the broker cannot hold it', { canPark: false }, [0, 0, 0, 0, 0, 0]],
  ['at once where its worker ends', { isCold: true }, [0, 0, 0, 0, 0, 0]],
])('F-15 a message whose process was lost comes back %s', (_when, given, pauses) => {
  const { canPark = true, isCold = false, maxRedeliveries = 5 }: LostOptions = given
  const told: unknown[] = []
  const endings = new TaskEndings({
    app: { conf: { maxRedeliveries }, clock: new ManualClock(0) } as unknown as Celery,
    logger: consoleLogger({ level: 'critical' }),
    completed: undefined,
    canPark,
    isCold: () => isCold,
    finish: () => {},
    release: (_task, action) => told.push(action),
  })
  const strategy = { acksLate: true, rejectOnWorkerLost: true }
  for (const [redeliveries] of pauses.entries()) {
    const task = { title: 'add[a]', delivery: { redeliveries }, strategy } as unknown as ActiveTask
    endings.done(task, { type: 'lost', reason: 'signal SIGKILL' })
  }
  expect(told).toEqual(
    pauses.map((pauseMs) =>
      pauseMs === 0 ? { type: 'requeue', counted: true } : { type: 'park', untilMs: pauseMs, counted: true },
    ),
  )
})

interface LostOptions {
  readonly canPark?: boolean
  readonly isCold?: boolean
  readonly maxRedeliveries?: number
}
