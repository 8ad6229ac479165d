import { chain } from '@celery/canvas'
import { EagerResult } from '@celery/results'
import { describe, expect, test } from 'vitest'
import { type CeleryApp, currentTask, Ignore, MaxRetriesExceededError, type SettingsInput } from '../src/index.ts'
import { testApp } from './test-app.ts'

async function setUp(settings: SettingsInput = {}) {
  const made = await testApp({ settings })
  const { app } = made
  const seen: unknown[] = []
  return {
    ...made,
    seen,
    add: app.task('add', (x: number, y: number) => x + y, { params: ['x', 'y'] }),
    boom: app.task('boom', (text: string): number => {
      throw new RangeError(text)
    }),
    note: app.task('note', (value: unknown) => void seen.push(value)),
  }
}

const eager = { taskAlwaysEager: true }

describe('TASK-061 apply', () => {
  test('runs a call here, sends nothing, and has the result', async () => {
    const { add, waiting } = await setUp()
    const result = await add.apply([2, 3])
    expect(result).toBeInstanceOf(EagerResult)
    expect([await result.get(), await result.state(), await result.ready()]).toEqual([5, 'SUCCESS', true])
    expect(await (await add.apply([2], { kwargs: { y: 4 } })).get()).toBe(6)
    expect(await (await add.s(1).apply([6])).get()).toBe(7)
    expect(await waiting()).toBe(0)
  })

  test('keeps the error, which get() throws, as it was thrown', async () => {
    const { boom } = await setUp()
    const result = await boom.apply(['no'])
    expect(await result.state()).toBe('FAILURE')
    await expect(result.get()).rejects.toThrow(RangeError)
    expect(await result.traceback()).toContain('RangeError: no')
  })

  test('CONF-014 throws it where that is wanted', async () => {
    const { app, boom } = await setUp()
    await expect(boom.apply(['no'], { throw: true })).rejects.toThrow(new RangeError('no'))
    app.conf.taskEagerPropagates = true
    await expect(boom.apply(['no'])).rejects.toThrow(RangeError)
    expect(await (await boom.apply(['no'], { throw: false })).state()).toBe('FAILURE')
  })

  test('takes an id, headers and retries, and tells the task that it runs eagerly', async () => {
    const { app } = await setUp()
    const who = app.task('who', (context) => context.request, { bind: true })
    const options = { taskId: 'mine', retries: 2, headers: { trace: 'x' }, rootId: 'root', parentId: 'parent' }
    const result = await who.apply([], options)
    const request = await result.get()
    expect(request).toMatchObject({ id: 'mine', isEager: true, retries: 2, rootId: 'root', parentId: 'parent' })
    expect([request.headers.trace, request.calledDirectly, result.id]).toEqual(['x', false, 'mine'])
  })

  test('passes over times and queues', async () => {
    const { add, waiting } = await setUp({ taskCreateMissingQueues: false })
    const options = { countdown: 3_600, expires: -1, queue: 'no-such-queue' }
    expect(await (await add.apply([1, 2], options)).get()).toBe(3)
    expect(await waiting()).toBe(0)
  })

  test('refuses arguments that do not fit', async () => {
    const { add } = await setUp()
    // @ts-expect-error one is missing
    await expect(add.apply([1])).rejects.toThrow("add() missing 1 required positional argument: 'y'")
    await expect(add.apply([1, (() => 2) as never])).rejects.toThrow("argument 2 ('y') of a call of add")
  })

  test('runs callbacks, errbacks and the steps of a chain, in order', async () => {
    const { add, boom, note, seen } = await setUp()
    await add.apply([1, 2], { link: [note.s(), add.s(10).link(note.s())] })
    expect(seen).toEqual([3, 13])
    const { id } = await boom.apply(['no'], { linkError: note.s() })
    expect(seen.at(-1)).toBe(id)
    const result = await add.s(1, 2).pipe(add.s(3)).pipe(add.s(4)).apply()
    expect(await result.get()).toBe(10)
    expect(await result.parent?.get()).toBe(6)
    expect(await result.parent?.parent?.get()).toBe(3)
  })

  test('of a chain that fails has the error of the step that did, and runs none after it', async () => {
    const { add, boom, note, seen } = await setUp()
    const result = await chain(add.s(1, 2), boom.si('no'), note.s()).apply()
    await expect(result.get()).rejects.toThrow(RangeError)
    expect([await result.state(), await result.parent?.state()]).toEqual(['FAILURE', 'FAILURE'])
    expect(await result.parent?.parent?.get()).toBe(3)
    expect(seen).toEqual([])
  })

  test('of a task that lives elsewhere fails, and says so', async () => {
    const { app, add, waiting } = await setUp()
    const result = await add.s(1, 2).pipe(app.signature('elsewhere')).apply()
    await expect(result.get()).rejects.toThrow('no task "elsewhere" is registered in this process')
    expect(await waiting()).toBe(0)
  })

  test('retries at once, as often as the task may be', async () => {
    const { app } = await setUp()
    const runs: number[] = []
    const flaky = app.task(
      'flaky',
      (context, until: number) => {
        runs.push(context.request.retries)
        if (context.request.retries < until) throw context.retry({ countdown: 3_600 })
        return `after ${context.request.retries}`
      },
      { bind: true, maxRetries: 3 },
    )
    expect(await (await flaky.apply([2])).get()).toBe('after 2')
    expect(runs).toEqual([0, 1, 2])
    await expect((await flaky.apply([9])).get()).rejects.toThrow(MaxRetriesExceededError)
    const auto = app.task(
      'auto',
      (): never => {
        throw new TypeError('again')
      },
      { autoretryFor: [TypeError], maxRetries: 200 },
    )
    await expect((await auto.apply([])).get()).rejects.toThrow('again')
  })

  test('of a task that asks to be ignored has no result', async () => {
    const { app } = await setUp()
    const ignored = app.task('ignored', () => {
      throw new Ignore()
    })
    const result = await ignored.apply([])
    expect([await result.state(), await result.get()]).toEqual(['IGNORED', null])
  })

  test('tells handlers and signals', async () => {
    const { app, seen } = await setUp()
    app.signals.taskSuccess.connect(({ result }) => void seen.push(result))
    const task = app.task('task', () => 'value', { onSuccess: (result) => void seen.push(['handler', result]) })
    await task.apply([])
    expect(seen).toEqual([['handler', 'value'], 'value'])
  })
})

describe('CONF-013 taskAlwaysEager', () => {
  test('runs what is sent, also as a signature, and chains', async () => {
    const { add, waiting } = await setUp(eager)
    const result = await add.delay(1, 2)
    expect(result).toBeInstanceOf(EagerResult)
    expect(await result.get()).toBe(3)
    expect(await (await add.applyAsync([1], { kwargs: { y: 5 }, countdown: 60 })).get()).toBe(6)
    expect(await (await add.s(1, 2).pipe(add.s(3)).delay()).get()).toBe(6)
    expect(await waiting()).toBe(0)
  })

  test('lets arguments travel through the serializer, so that a task cannot change those of its caller', async () => {
    const { app, note } = await setUp(eager)
    const grow = app.task('grow', (list: unknown[]) => void list.push('more'))
    const list = [1]
    await grow.delay(list)
    expect(list).toEqual([1])
    await expect(note.delay(() => 0)).rejects.toMatchObject({ code: 'ERR_CELERY_ENCODE' })
    await expect(app.task('pickled', () => 0, { serializer: 'yaml' }).delay()).resolves.toMatchObject({})
  })

  test('runs what a task sends, as its child, which may wait for it', async () => {
    const { app, add } = await setUp(eager)
    const outer = app.task('outer', async () => {
      const inner = await add.delay(1, 2)
      return [await inner.get(), currentTask()?.request.id]
    })
    const result = await outer.delay()
    expect(await result.get()).toEqual([3, result.id])
  })

  test('APP-027 does not hold for sendTask, which says so once, nor for tasks that live elsewhere', async () => {
    const { app, add, notices, waiting } = await setUp(eager)
    await app.sendTask('add', [1, 2])
    await app.sendTask(add.taskName, [1, 2])
    await app.remote('elsewhere').delay()
    expect(await waiting()).toBe(3)
    expect(notices.filter((notice) => notice.includes('taskAlwaysEager'))).toHaveLength(1)
  })

  test('CONF-014 lets delay() throw with taskEagerPropagates', async () => {
    const { boom } = await setUp({ ...eager, taskEagerPropagates: true })
    await expect(boom.delay('no')).rejects.toThrow(RangeError)
  })
})

describe('CONF-015, TASK-012 results of eager runs', () => {
  async function stored(app: CeleryApp, id: string): Promise<string> {
    return app.asyncResult(id).state()
  }

  test('are stored where that is wanted', async () => {
    const { app, add } = await setUp()
    expect(await stored(app, (await add.apply([1, 2])).id)).toBe('PENDING')
    const kept = app.task('kept', () => 7, { storeEagerResult: true })
    const { id } = await kept.apply([])
    expect([await stored(app, id), await app.asyncResult(id).get()]).toEqual(['SUCCESS', 7])
    app.conf.taskStoreEagerResult = true
    expect(await stored(app, (await add.apply([1, 2])).id)).toBe('SUCCESS')
  })

  test('CANV-061 so are those of the steps that were not reached', async () => {
    const { app, add, boom } = await setUp({ taskStoreEagerResult: true })
    const result = await boom.s('no').pipe(add.s(1)).pipe(add.s(2)).apply()
    for (const step of [result.parent?.parent, result.parent, result]) {
      const later = app.asyncResult(String(step?.id))
      expect(await later.state()).toBe('FAILURE')
      await expect(later.get({ timeout: 5 })).rejects.toThrow('no')
    }
  })

  test('are not, where results are ignored', async () => {
    const { app } = await setUp({ taskStoreEagerResult: true })
    const ignored = app.task('ignored', () => 7, { ignoreResult: true })
    const result = await ignored.apply([])
    expect([await stored(app, result.id), await result.get()]).toEqual(['PENDING', 7])
  })
})
