import type { BackendDriver, ResultBackend } from '@celery/backend'
import { memory } from '@celery/backend-memory'
import { decodeResultRecord } from '@celery/protocol'
import { describe, expect, test } from 'vitest'
import { getTaskLogger, Ignore, type TaskContext, type TaskLogRecord } from '../src/index.ts'
import type { TraceOutcome } from '../src/internal.ts'
import { goldenRecords } from './golden.ts'
import { testApp } from './test-app.ts'

type Body = (context: TaskContext) => unknown

/** Runs `body` as a task and stores what comes of it, as a worker does. */
async function run(body: Body, options: { readonly ignoreResult?: boolean; readonly backend?: undefined } = {}) {
  const made = await testApp('backend' in options ? { backend: undefined as never } : {})
  const lines: TaskLogRecord[] = []
  made.app.taskLog.write = (record) => void lines.push(record)
  const { ignoreResult = false } = options
  const task = made.app.task('t', (context) => body(context), { bind: true, ignoreResult })
  const result = await task.applyAsync([], { taskId: 'the-id' })
  const outcome: TraceOutcome = await made.runNext()
  return { ...made, lines, outcome, result }
}

describe('a state of the task’s own', () => {
  test('is there while it runs, in the form of Celery', async () => {
    const golden = goldenRecords('progress').find(({ status }) => status === 'PROGRESS')
    const { app, runNext } = await testApp()
    const seen: unknown[] = []
    const task = app.task(
      'progress',
      async (context) => {
        await context.updateState('PROGRESS', golden?.['result'])
        const stored = (await (await app.backend()).fetch(['the-id'])).get('the-id')
        seen.push(JSON.parse(String(stored?.record)))
        return 'done'
      },
      { bind: true },
    )
    const result = await task.applyAsync([], { taskId: 'the-id' })
    await runNext()
    expect(seen).toEqual([{ ...golden, task_id: 'the-id' }])
    expect(await result.get({ timeout: 5 })).toBe('done')
  })

  test('never takes back an end', async () => {
    const late: (() => Promise<void>)[] = []
    const { app, result } = await run((context) => {
      late.push(() => context.updateState('PROGRESS', 1))
      return 'done'
    })
    await late[0]?.()
    expect(await app.asyncResult(result.id).state()).toBe('SUCCESS')
  })

  test('nobody has to wait for it: the run ends when it is stored, in the order of the calls', async () => {
    const { app } = await run((context) => {
      for (let n = 0; n < 20; n++) void context.updateState('PROGRESS', n)
      throw new Ignore()
    })
    expect(await app.asyncResult('the-id').meta()).toMatchObject({ state: 'PROGRESS', result: 19 })
  })

  test('may be final, with Ignore to leave it so', async () => {
    const { app } = await run(async (context) => {
      await context.updateState('FAILURE', new RangeError('decided by the task'))
      throw new Ignore()
    })
    await expect(app.asyncResult('the-id').get({ timeout: 5 })).rejects.toThrow('decided by the task')
    const stored = (await (await app.backend()).fetch(['the-id'])).get('the-id')
    expect(decodeResultRecord(stored?.record)).toMatchObject({ status: 'FAILURE', date_done: expect.any(String) })
  })

  test('may be that of another task', async () => {
    const { app } = await run((context) => context.updateState('SEEN', { by: 't' }, { taskId: 'another' }))
    expect(await app.asyncResult('another').meta()).toMatchObject({ state: 'SEEN', result: { by: 't' } })
  })

  test('is stored where results are ignored too, as Celery does', async () => {
    const { app, outcome } = await run((context) => context.updateState('PROGRESS', 1), { ignoreResult: true })
    expect(outcome).not.toHaveProperty('write')
    expect(await app.asyncResult('the-id').state()).toBe('PROGRESS')
  })

  test('goes nowhere where there is no store, and in a plain call', async () => {
    const { app, outcome } = await run((context) => context.updateState('PROGRESS', 1), { backend: undefined })
    expect(outcome.state).toBe('SUCCESS')
    const direct = app.task('direct', (context) => context.updateState('PROGRESS'), { bind: true })
    expect(await direct()).toBeUndefined()
  })

  test.each<[string, unknown, RegExp]>([
    ['progress', null, /upper case/],
    ['', null, /upper case/],
    ['FAILURE', { exc_type: 'x' }, /comes with an error/],
    ['RETRY', null, /comes with an error/],
  ])('%j with %j is refused', async (state, meta, message) => {
    const { outcome } = await run((context) => context.updateState(state, meta))
    expect(outcome.state).toBe('FAILURE')
    expect(outcome.text).toMatch(message)
  })

  test('that cannot be stored fails whoever waits for it, and is logged where nobody does', async () => {
    class Away extends Error {}
    const driver: BackendDriver = {
      ...memory,
      open: async (url, options) => {
        const backend = await memory.open(url, options)
        return new Proxy(backend, {
          get: (target, name) => {
            if (name === 'store') return () => Promise.reject(new Away('the store is away'))
            const value: unknown = Reflect.get(target, name)
            return typeof value === 'function' ? value.bind(target) : value
          },
        }) as ResultBackend
      },
    }
    const { app, take } = await testApp()
    app.backends.register('memory', async () => driver)
    const lines: TaskLogRecord[] = []
    app.taskLog.write = (record) => void lines.push(record)
    const outcomes: string[] = []
    const waits = app.task('waits', (context) => context.updateState('PROGRESS'), { bind: true })
    const leaves = app.task('leaves', (context) => void context.updateState('PROGRESS'), { bind: true })
    for (const task of [waits, leaves]) {
      await task.delay()
      outcomes.push((await app.tracer.run((await take()).input, undefined)).state)
    }
    expect(outcomes).toEqual(['FAILURE', 'SUCCESS'])
    expect(lines.at(-1)).toMatchObject({ level: 'warning', message: expect.stringContaining('the store is away') })
  })
})

describe('what a task has sent', () => {
  test('are the children of its result, and a retry is its own child', async () => {
    const { app, runNext } = await testApp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const sender = app.task(
      'sender',
      async (context) => {
        await add.applyAsync([1, 2], { taskId: 'first' })
        await add.s(1, 2).pipe(add.s(3)).applyAsync([], { taskId: 'last' })
        if (context.request.retries === 0) throw context.retry({ countdown: 0 })
      },
      { bind: true },
    )
    const result = await sender.applyAsync([], { taskId: 'parent' })
    const outcome = await runNext()
    expect(outcome.state).toBe('RETRY')
    expect((await result.children()).map(({ id }) => id)).toEqual(['first', expect.any(String), 'parent'])
  })

  test('are not kept where the task says so', async () => {
    const { app, runNext } = await testApp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const result = await app.task('sender', async () => void (await add.delay(1, 2)), { trail: false }).delay()
    await runNext()
    expect(await result.children()).toEqual([])
  })
})

describe('what a task logs', () => {
  test('carries its name and its id', async () => {
    const log = getTaskLogger('proj.tasks')
    const { lines } = await run((context) => {
      context.logger.info('not written at this level')
      context.logger.warning('one')
      log.error('two')
      expect([context.logger.isEnabled('info'), log.isEnabled('critical')]).toEqual([false, true])
    })
    const task = { name: 't', id: 'the-id' }
    expect(lines).toEqual([
      { level: 'warning', message: 'one', logger: 'celery.task', task },
      { level: 'error', message: 'two', logger: 'proj.tasks', task },
    ])
  })

  test('in a plain call too', async () => {
    const { app } = await testApp()
    const lines: TaskLogRecord[] = []
    app.taskLog.write = (record) => void lines.push(record)
    const id = app.task(
      'direct',
      (context) => {
        context.logger.critical('here')
        getTaskLogger('mine').warning('there')
        return context.request.id
      },
      { bind: true },
    )()
    expect(lines.map(({ task }) => task)).toEqual([
      { name: 'direct', id: await id },
      { name: 'direct', id: await id },
    ])
  })
})
