import { describe, expect, test } from 'vitest'
import {
  AlreadyRegisteredError,
  currentTask,
  type SettingsInput,
  TaskArgumentsError,
  type TaskOptions,
} from '../src/index.ts'
import { testApp } from './test-app.ts'

declare module '../src/index.ts' {
  interface TaskExtras {
    readonly flavour?: string
  }
}

describe('a task called as a function', () => {
  test('runs here and sends nothing', async () => {
    const { app, waiting } = await testApp()
    const add = app.task('add', (x: number, y: number) => x + y)
    expect(add(1, 2)).toBe(3)
    const slow = app.task('slow', async (x: number) => x)
    expect(await slow(3)).toBe(3)
    expect(await waiting()).toBe(0)
  })

  test('throws what the function throws', async () => {
    const { app } = await testApp()
    const error = new Error('x')
    const boom = app.task('boom', () => {
      throw error
    })
    expect(() => boom()).toThrow(error)
  })

  test('has a context of its own, made up', async () => {
    const { app } = await testApp()
    const who = app.task('who', (context, x: number) => [context, currentTask(), x] as const, { bind: true })
    const [context, current, x] = await who(7)
    expect(current).toBe(context)
    expect(x).toBe(7)
    expect(context.request).toMatchObject({
      task: 'who',
      calledDirectly: true,
      args: [7],
      retries: 0,
      queue: undefined,
    })
    expect(context.request.rootId).toBe(context.request.id)
    expect(context.signal.aborted).toBe(false)
    expect(currentTask()).toBeUndefined()
  })

  test('two at the same time have two contexts', async () => {
    const { app } = await testApp()
    const who = app.task('who', async (x: number) => {
      await new Promise((resolve) => setImmediate(resolve))
      return currentTask()?.request.args[0] === x
    })
    expect(await Promise.all([who(1), who(2), who(3)])).toEqual([true, true, true])
  })

  test('what it sends is nobody’s child', async () => {
    const { app, take } = await testApp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const sender = app.task('sender', async () => void (await add.delay(1, 2)))
    await sender()
    const { headers } = await take()
    expect(headers).toMatchObject({ parent_id: null, root_id: headers.id })
  })

  test('may wait for a result', async () => {
    const { app, runNext } = await testApp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const waiter = app.task('waiter', async () => {
      const result = await add.delay(1, 2)
      await runNext()
      return result.get({ timeout: 5 })
    })
    expect(await waiter()).toBe(3)
  })
})

describe('a task object', () => {
  test('tells its name and its options, and is no promise', async () => {
    const { app } = await testApp()
    const add = app.task('tasks.add', (x: number, y: number) => x + y, { queue: 'math', flavour: 'own' })
    expect([add.taskName, add.name, add.options]).toEqual(['tasks.add', 'tasks.add', { queue: 'math', flavour: 'own' }])
    expect('then' in add).toBe(false)
    expect('then' in (await add.delay(1, 2))).toBe(false)
    expect('then' in add.s(1)).toBe(false)
  })

  test('is in the registry of its app, once', async () => {
    const { app } = await testApp()
    app.task('add', () => 0)
    expect([...app.tasks.keys()]).toEqual(['add'])
    expect(() => app.task('add', () => 1)).toThrow(AlreadyRegisteredError)
    expect(app.closestTask('ad')).toBeUndefined()
    expect(app.closestTask('addd')).toBe('add')
    // It is right as it is, and a name that is none of these may be meant by none of them.
    expect(app.closestTask('add')).toBeUndefined()
  })

  test.each(['__proto__', 'constructor', 'toString'])('may be called %s', async (name) => {
    const { app, runNext } = await testApp()
    const result = await app.task(name, () => 'fine').delay()
    await runNext()
    expect(await result.get({ timeout: 5 })).toBe('fine')
  })
})

describe('sending checks the arguments', () => {
  test('as many as the function takes, before anything is sent', async () => {
    const { app, waiting } = await testApp()
    const add = app.task('add', (x: number, y: number) => x + y, { params: ['x', 'y'] })
    const unnamed = app.task('unnamed', (x: number, y: number) => x + y)
    // @ts-expect-error an argument is missing
    await expect(add.delay(1)).rejects.toBeInstanceOf(TaskArgumentsError)
    // @ts-expect-error one too many
    await expect(add.delay(1, 2, 3)).rejects.toThrow('add() takes 2 positional arguments but 3 were given')
    // @ts-expect-error one too many
    await expect(unnamed.delay(1, 2, 3)).rejects.toBeInstanceOf(TaskArgumentsError)
    // @ts-expect-error no name for it
    await expect(unnamed.applyAsync([1], { kwargs: { y: 2 } })).rejects.toThrow('declare the task with params')
    expect(await waiting()).toBe(0)
  })

  test('what the compiler allows is never refused for its number', async () => {
    const { app, runNext } = await testApp()
    const optional = app.task('optional', (x: number, y?: number) => [x, y ?? null])
    const named = app.task('named', (x: number, y?: number) => [x, y ?? null], { params: ['x', 'y?'] })
    const bound = app.task('bound', (_context, x: number, y?: number) => [x, y ?? null], { bind: true })
    const rest = app.task('rest', (x: number, ...more: number[]) => [x, more], { params: ['x', 'more'] })
    const results = [
      await optional.delay(1),
      await named.delay(1),
      await named.applyAsync([1], { kwargs: { y: 2 } }),
      await bound.delay(1),
      await rest.delay(1, 2, 3),
    ]
    for (const _ of results) expect(await runNext()).toMatchObject({ state: 'SUCCESS' })
    const values = await Promise.all(results.map((result) => result.get({ timeout: 5 })))
    expect(values).toEqual([
      [1, null],
      [1, null],
      [1, 2],
      [1, null],
      [1, [2, 3]],
    ])
  })

  test('defaults and a rest are understood', async () => {
    const { app, waiting } = await testApp()
    await app.task('greet', (name: string, greeting = 'hello') => greeting + name).delay('you')
    await app.task('sum', (...numbers: number[]) => numbers.length).delay(1, 2, 3)
    expect(await waiting()).toBe(2)
  })

  test('names, and which are missing', async () => {
    const { app, take } = await testApp()
    const add = app.task('add', (x: number, y: number) => x + y, { params: ['x', 'y'] })
    await add.applyAsync([1], { kwargs: { y: 2 } })
    expect((await take()).body).toMatchObject({ args: [1], kwargs: { y: 2 } })
    // @ts-expect-error the compiler says so too
    await expect(add.applyAsync([], { kwargs: { y: 2 } })).rejects.toThrow(
      "add() missing 1 required positional argument: 'x'",
    )
  })

  test('of a task that lives elsewhere nothing is checked', async () => {
    const { app, take } = await testApp()
    const remote = app.remote<[x: number], number>('proj.add')
    await remote.applyAsync([1], { kwargs: { anything: true } })
    expect((await take()).body).toMatchObject({ args: [1], kwargs: { anything: true } })
    // Not here: it can only be sent.
    expect(typeof remote).toBe('object')
  })
})

describe('results', () => {
  test('come from the worker', async () => {
    const { app, runNext } = await testApp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const result = await add.delay(2, 2)
    expect(await result.state()).toBe('PENDING')
    await runNext()
    expect(await result.get({ timeout: 5 })).toBe(4)
    expect(await app.asyncResult(result.id).state()).toBe('SUCCESS')
  })

  test.each<[string, SettingsInput, Pick<TaskOptions, 'ignoreResult'>, { ignoreResult?: boolean }]>([
    ['the settings', { taskIgnoreResult: true }, {}, {}],
    ['the task', {}, { ignoreResult: true }, {}],
    ['the call', {}, {}, { ignoreResult: true }],
  ])('are not waited for where %s says that there are none', async (_who, settings, options, call) => {
    const { app } = await testApp({ settings })
    const task = app.task('t', () => 1, options)
    const result = await task.applyAsync([], call)
    expect(result.ignored).toBe(true)
    expect(await result.get()).toBeNull()
  })

  test('cannot be read without a result store', async () => {
    const { app } = await testApp({ backend: undefined as never })
    const result = await app.task('t', () => 1).delay()
    await expect(result.get({ timeout: 5 })).rejects.toMatchObject({ code: 'ERR_CELERY_NO_BACKEND' })
    expect(await app.backendIfConfigured()).toBeUndefined()
    expect(app.backendAddress).toBeUndefined()
  })

  test.each([
    ['redis://me:planted@h:6379/1', 'redis://me:**@h:6379/1'],
    ['REDISS://:planted@h/0?ssl_password=planted', 'rediss://:**@h/0?ssl_password=**'],
    ['redis://a/0;redis://b/0', 'redis://a/0'],
    ['sentinel://a/0;sentinel://b/0?master_name=m', 'sentinel://a/0;sentinel://b/0?master_name=m'],
    [['redis://a/0', 'redis://b/0'], 'redis://a/0'],
  ])('without a result store may be kept by the broker: %s', async (broker, address) => {
    const { app } = await testApp({ broker, backend: undefined as never })
    const failure: unknown = await app.backend().catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'ERR_CELERY_NO_BACKEND',
      message: `no result backend is configured, so results cannot be read; set resultBackend, to the URL of the broker, ${address}, for example`,
    })
  })

  test.each([['memory://'], ['redis://h:planted']])('may not be kept by any broker: %s', async (broker) => {
    const { app } = await testApp({ broker, backend: undefined as never })
    await expect(app.backend()).rejects.toThrow('set resultBackend, to "memory://" or "sqlite:///path" for example')
  })
})
