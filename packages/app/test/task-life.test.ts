import { describe, expect, test } from 'vitest'
import {
  type CeleryApp,
  currentTask,
  Ignore,
  Reject,
  Retry,
  TaskBase,
  type TaskContext,
  type TaskHandlers,
  type TaskLogRecord,
  type TaskOptions,
} from '../src/index.ts'
import type { TraceOutcome } from '../src/internal.ts'
import { testApp } from './test-app.ts'

/** Handlers that write down how they were called. */
function noting(log: unknown[]): TaskHandlers {
  const about = (context: TaskContext) => [context.request.id, currentTask() === context]
  return {
    beforeStart: (context) => void log.push(['beforeStart', ...about(context)]),
    onSuccess: (result, context) => void log.push(['onSuccess', result, ...about(context)]),
    onFailure: (error, context) => void log.push(['onFailure', String(error), ...about(context)]),
    onRetry: (retry, context) => void log.push(['onRetry', retry.message, ...about(context)]),
    afterReturn: (state, result, context) => void log.push(['afterReturn', state, String(result), ...about(context)]),
  }
}

/** Listens to every signal of a run. */
function listen({ signals }: CeleryApp, log: unknown[]): void {
  signals.taskPrerun.connect(({ sender, request }) => void log.push(['taskPrerun', sender, request.id]))
  signals.taskPostrun.connect(({ state, result }) => void log.push(['taskPostrun', state, String(result)]))
  signals.taskSuccess.connect(({ result }) => void log.push(['taskSuccess', result]))
  signals.taskFailure.connect(({ error }) => void log.push(['taskFailure', String(error)]))
  signals.taskRetry.connect(({ reason }) => void log.push(['taskRetry', reason.message]))
}

const ends: Readonly<Record<string, (context: TaskContext) => unknown>> = {
  success: () => 3,
  failure: () => {
    throw new RangeError('no')
  },
  retry: (context) => context.retry({ countdown: 5 }),
  ignore: () => Promise.reject(new Ignore()),
  reject: () => Promise.reject(new Reject('not mine')),
}

async function setUp(options: TaskOptions = {}) {
  const made = await testApp()
  const lines: TaskLogRecord[] = []
  made.app.taskLog.write = (record) => void lines.push(record)
  const task = made.app.task('t', (context, how: string) => (ends[how] as (typeof ends)[string])(context), {
    ...options,
    bind: true as const,
  })
  const run = async (how: string, id = 'the-id'): Promise<TraceOutcome> => {
    await task.applyAsync([how], { taskId: id })
    return made.app.tracer.run((await made.take()).input, undefined)
  }
  return { ...made, lines, run, task }
}

describe('handlers', () => {
  test.each<[string, readonly unknown[][]]>([
    [
      'success',
      [
        ['onSuccess', 3],
        ['afterReturn', 'SUCCESS', '3'],
      ],
    ],
    [
      'failure',
      [
        ['onFailure', 'RangeError: no'],
        ['afterReturn', 'FAILURE', 'RangeError: no'],
      ],
    ],
    ['retry', [['onRetry', 'Retry in 5s']]],
    ['ignore', []],
    ['reject', []],
  ])('after %s', async (how, expected) => {
    const log: unknown[] = []
    const { run } = await setUp({ ...noting(log) })
    const outcome = await run(how)
    const states: Record<string, string> = { ignore: 'IGNORED', reject: 'REJECTED' }
    expect(outcome.state).toBe(states[how] ?? how.toUpperCase())
    const about = ['the-id', true]
    expect(log).toEqual([['beforeStart', ...about], ...expected.map((line) => [...line, ...about])])
  })

  test('are waited for', async () => {
    const log: string[] = []
    const slowly = (what: string) => async (): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve))
      log.push(what)
    }
    const { app, take } = await testApp()
    const options = { beforeStart: slowly('before'), onSuccess: slowly('success'), afterReturn: slowly('after') }
    await app.task('slow', () => void log.push('body'), options).delay()
    await app.tracer.run((await take()).input, undefined)
    expect(log).toEqual(['before', 'body', 'success', 'after'])
  })

  test.each<[string, TaskOptions, string, string]>([
    ['onSuccess', { onSuccess: () => Promise.reject(new Error('oops')) }, 'success', 'SUCCESS'],
    ['onFailure', { onFailure: () => Promise.reject(new Error('oops')) }, 'failure', 'FAILURE'],
    ['onRetry', { onRetry: () => Promise.reject(new Error('oops')) }, 'retry', 'RETRY'],
    ['afterReturn', { afterReturn: () => Promise.reject(new Error('oops')) }, 'success', 'SUCCESS'],
  ])('what %s throws is logged and changes nothing', async (name, options, how, state) => {
    const { lines, run } = await setUp(options)
    const outcome = await run(how)
    expect(outcome.state).toBe(state)
    if (how === 'failure') expect(outcome.text).toBe("RangeError('no')")
    expect(lines).toEqual([
      {
        level: 'error',
        logger: 'celery.app',
        message: expect.stringContaining(`${name} threw: Error: oops`),
        task: { name: 't', id: 'the-id' },
      },
    ])
  })

  test.each<[string, unknown, string]>([
    ['an error', new Error('not ready'), 'FAILURE'],
    ['Ignore', new Ignore(), 'IGNORED'],
    ['Reject', new Reject(), 'REJECTED'],
  ])('beforeStart throws %s for the task, which does not run', async (_what, thrown, state) => {
    const log: unknown[] = []
    const { app, take } = await testApp()
    const options = {
      beforeStart: () => {
        throw thrown
      },
    }
    await app.task('t', () => void log.push('ran'), options).delay()
    expect((await app.tracer.run((await take()).input, undefined)).state).toBe(state)
    expect(log).toEqual([])
  })

  test('beforeStart may retry the task', async () => {
    const { run } = await setUp({ beforeStart: (context) => context.retry({ countdown: 8 }) })
    expect(await run('success')).toMatchObject({ state: 'RETRY', text: 'Retry in 8s' })
  })

  test('onFailure gets the error that counts in the end', async () => {
    const log: unknown[] = []
    const { run } = await setUp({ ...noting(log), autoretryFor: [RangeError], maxRetries: 0 })
    expect((await run('failure')).state).toBe('FAILURE')
    expect(log[1]).toEqual(['onFailure', 'RangeError: no', 'the-id', true])
  })
})

describe('signals', () => {
  test.each<[string, readonly unknown[][]]>([
    [
      'success',
      [
        ['taskSuccess', 3],
        ['taskPostrun', 'SUCCESS', '3'],
      ],
    ],
    [
      'failure',
      [
        ['taskFailure', 'RangeError: no'],
        ['taskPostrun', 'FAILURE', 'RangeError: no'],
      ],
    ],
    [
      'retry',
      [
        ['taskRetry', 'Retry in 5s'],
        ['taskPostrun', 'RETRY', 'Retry: Retry in 5s'],
      ],
    ],
    ['ignore', [['taskPostrun', 'IGNORED', 'Ignore: the task asked to be ignored']]],
    ['reject', [['taskPostrun', 'REJECTED', 'Reject: not mine']]],
  ])('of a run that ends in %s', async (how, expected) => {
    const log: unknown[] = []
    const { app, run } = await setUp()
    listen(app, log)
    await run(how)
    expect(log).toEqual([['taskPrerun', 't', 'the-id'], ...expected])
  })

  test('and handlers come in the order of Celery', async () => {
    const log: unknown[] = []
    const { app, run } = await setUp({ ...noting(log) })
    listen(app, log)
    await run('success')
    expect(log.map((line) => (line as unknown[])[0])).toEqual([
      'taskPrerun',
      'beforeStart',
      'onSuccess',
      'taskSuccess',
      'afterReturn',
      'taskPostrun',
    ])
  })

  test('leave the outcome as it is without anybody who listens', async () => {
    const { app, run } = await setUp()
    const alone = await run('success', 'a')
    listen(app, [])
    const heard = await run('success', 'a')
    const { write: a, ...first } = alone
    const { write: b, ...second } = heard
    const plain = (record?: string | Uint8Array) => ({ ...JSON.parse(String(record)), date_done: undefined })
    expect({ ...second, runtime: 0 }).toEqual({ ...first, runtime: 0 })
    expect(plain(b?.record)).toEqual(plain(a?.record))
  })

  test('cost no promise once everybody has left', async () => {
    const { app, take } = await testApp()
    const quick = app.task('quick', () => 1)
    const leave = app.signals.taskPrerun.connect(() => {})
    await quick.delay()
    expect(app.tracer.run((await take()).input, undefined)).toBeInstanceOf(Promise)
    leave()
    await quick.delay()
    expect(app.tracer.run((await take()).input, undefined)).not.toBeInstanceOf(Promise)
  })

  test('what a receiver throws is logged', async () => {
    const { app, lines, run } = await setUp()
    app.signals.taskPrerun.connect(() => {
      throw new Error('deaf')
    })
    expect((await run('success')).state).toBe('SUCCESS')
    expect(lines.map(({ message }) => message.split('\n')[0])).toEqual(['a receiver of taskPrerun threw: Error: deaf'])
  })

  test('a failure without a run is told too: nobody knows the task, or its process is lost', async () => {
    const log: unknown[] = []
    const { app, take } = await testApp()
    listen(app, log)
    await app.sendTask('nobody')
    const { input } = await take()
    await app.tracer.run(input, undefined)
    await app.tracer.failed(input, new Error('lost'))
    expect(log).toEqual([
      ['taskFailure', expect.stringContaining('no task "nobody"')],
      ['taskFailure', 'Error: lost'],
    ])
  })

  test('an outcome that cannot be told is an internal error', async () => {
    const told: unknown[] = []
    const { app, take } = await testApp()
    app.signals.taskInternalError.connect(({ sender, error }) => void told.push([sender, String(error)]))
    let readable = true
    const options = {
      get ignoreResult(): boolean {
        if (!readable) throw new Error('unreadable option')
        return false
      },
    }
    await app.task('odd', () => 1, options).delay()
    const { input } = await take()
    readable = false
    await app.tracer.run({ ...input, headers: { ...input.headers, ignore_result: null } }, undefined)
    expect(told).toEqual([['odd', 'Error: unreadable option']])
  })
})

describe('expected errors', () => {
  test.each<[string, TaskOptions, boolean | undefined]>([
    ['of a class', { throws: [RangeError] }, true],
    ['as a function says', { throws: [(error) => error instanceof Error && error.message === 'no'] }, true],
    ['not others', { throws: [TypeError] }, undefined],
    ['none by default', {}, undefined],
  ])('%s', async (_which, options, expected) => {
    const { run } = await setUp(options)
    const outcome = await run('failure')
    expect(outcome.state).toBe('FAILURE')
    expect(outcome.expected).toBe(expected)
    // The caller gets the whole of it all the same.
    expect(JSON.parse(String(outcome.write?.record))).toMatchObject({
      status: 'FAILURE',
      traceback: expect.any(String),
    })
  })
})

describe('a base', () => {
  class Counting extends TaskBase {
    static made = 0
    override readonly maxRetries = 7
    override readonly queue = 'of-the-base'
    runs = 0
    constructor() {
      super()
      Counting.made++
    }
    override beforeStart(): void {
      this.runs++
    }
  }

  test('is one object for all runs of a task, which the task finds', async () => {
    const { app, take } = await testApp()
    const before = Counting.made
    const runs = app.task('runs', (context: TaskContext<Counting>) => context.base.runs, { bind: true, base: Counting })
    const other = app.task('other', (context: TaskContext<Counting>) => context.base.runs, {
      bind: true,
      base: Counting,
    })
    expect(Counting.made - before).toBe(2)
    const texts: string[] = []
    for (const task of [runs, runs, other]) {
      await task.delay()
      texts.push((await app.tracer.run((await take('of-the-base')).input, undefined)).text)
    }
    expect(texts).toEqual(['1', '2', '1'])
    expect(runs()).toBe(2)
  })

  test('gives options that the task may change', async () => {
    const { app } = await testApp()
    const task = app.task('t', () => 0, { base: Counting, queue: 'own' })
    expect(task.options).toMatchObject({ maxRetries: 7, queue: 'own' })
  })

  test('may be an object, whose handlers give way to those of the task', async () => {
    const log: string[] = []
    const base = { onSuccess: () => void log.push('base'), afterReturn: () => void log.push('base after') }
    const { run } = await setUp({ base, onSuccess: () => void log.push('own') })
    await run('success')
    expect(log).toEqual(['own', 'base after'])
  })

  test('that cannot be made is heard of where the task is declared', async () => {
    const { app } = await testApp()
    class Broken extends TaskBase {
      constructor() {
        super()
        throw new Error('no database')
      }
    }
    expect(() => app.task('t', () => 0, { base: Broken })).toThrow('no database')
  })
})

describe('annotations', () => {
  test('change options, by name and for all', async () => {
    const { app } = await testApp()
    const a = app.task('a', () => 0, { maxRetries: 1, queue: 'own' })
    const b = app.task('b', () => 0)
    app.conf.taskAnnotations = { '*': { maxRetries: 2, timeLimit: 5 }, a: { maxRetries: 3 } }
    expect(a.options).toMatchObject({ maxRetries: 3, queue: 'own', timeLimit: 5 })
    expect(b.options).toMatchObject({ maxRetries: 2, timeLimit: 5 })
    app.conf.taskAnnotations = undefined
    expect(a.options).toEqual({ maxRetries: 1, queue: 'own' })
    expect(b.options).toEqual({})
  })

  test('of several the last wins, and a function may answer', async () => {
    const { app } = await testApp()
    app.conf.taskAnnotations = [
      { a: { maxRetries: 1, queue: 'first' } },
      (name, options) => (name === 'a' ? { maxRetries: Number(options.priority) } : undefined),
    ]
    expect(app.task('a', () => 0, { priority: 6 }).options).toMatchObject({ maxRetries: 6, queue: 'first' })
    expect(app.task('constructor', () => 0).options).toEqual({})
  })

  test('add handlers that win over those of the task', async () => {
    const log: string[] = []
    const { app, run } = await setUp({ onSuccess: () => void log.push('own'), onFailure: () => void log.push('own') })
    app.conf.taskAnnotations = { '*': { onFailure: () => void log.push('annotated') } }
    await run('success')
    await run('failure')
    expect(log).toEqual(['own', 'annotated'])
  })

  test('put a function around that of the task', async () => {
    const { app, take } = await testApp()
    const double = (run: (context: TaskContext, ...args: readonly unknown[]) => unknown) => {
      return (context: TaskContext, ...args: readonly unknown[]) => Number(run(context, ...args)) * 2
    }
    const add = app.task('add', (x: number, y: number) => x + y)
    app.conf.taskAnnotations = [{ add: { '@run': double } }, { '*': { '@run': double } }]
    await add.delay(1, 2)
    expect((await app.tracer.run((await take()).input, undefined)).text).toBe('12')
    expect(add(1, 2)).toBe(12)
  })

  test('APP-058 put functions around handlers and the name of a call, and around one that does nothing', async () => {
    const log: string[] = []
    const { app, run } = await setUp({ onSuccess: (result) => void log.push(`own ${result}`) })
    app.conf.taskAnnotations = {
      '*': {
        '@onSuccess': (onSuccess) => (result, context) => {
          log.push('before')
          return onSuccess(`wrapped ${result}`, context)
        },
        '@afterReturn':
          (afterReturn) =>
          (...args) => {
            log.push(`after ${args[0]}`)
            return afterReturn(...args)
          },
        '@shadowName':
          (shadowName) =>
          (...args) =>
            shadowName(...args) ?? 'by annotation',
      },
    }
    await run('success')
    expect(log).toEqual(['before', expect.stringMatching(/^own wrapped /), 'after SUCCESS'])
    expect(app.tasks.get('t')?.shadowName?.({ args: [], kwargs: {}, options: {} } as never)).toBe('by annotation')
    app.conf.taskAnnotations = [
      { '*': { '@onSuccess': () => () => void log.push('lost') } },
      { '*': { onSuccess: () => void log.push('in the place of all') } },
    ]
    log.length = 0
    await run('success')
    expect(log).toEqual(['in the place of all'])
  })

  test.each([
    [{ '@onSucess': (each: unknown) => each }, 'for the task "t": there is no @onSucess, only @run, @shadowName'],
    [{ '@onRetry': 7 }, '@onRetry must be a function that takes and returns a function'],
  ])('APP-058 that go around nothing, or with nothing, are refused: %o', async (annotation, message) => {
    const { app } = await testApp()
    const task = app.task('t', () => 0)
    app.conf.taskAnnotations = { t: annotation as never }
    expect(() => task.options).toThrow(message)
    await expect(task.delay()).rejects.toThrow(message)
  })
})

test('a retry, whoever throws it, keeps its own class for those who catch it', async () => {
  const seen: unknown[] = []
  const { app, take } = await testApp()
  const task = app.task(
    't',
    (context): unknown => {
      try {
        return context.retry({ exc: new RangeError('x'), countdown: 1 })
      } catch (error) {
        seen.push(error)
        throw error
      }
    },
    { bind: true },
  )
  await task.delay()
  await app.tracer.run((await take()).input, undefined)
  expect(seen[0]).toBeInstanceOf(Retry)
  expect(seen[0]).toMatchObject({ when: 1, exc: expect.any(RangeError), cause: expect.any(RangeError) })
})
