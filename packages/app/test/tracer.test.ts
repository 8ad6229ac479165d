import { setTimeout as wait } from 'node:timers/promises'
import { derivedId } from '@celery/canvas'
import { decodeEnvelope, decodeResultRecord, decodeTaskBody, decodeTaskHeaders } from '@celery/protocol'
import type { Publication } from '@celery/transport'
import { describe, expect, test } from 'vitest'
import {
  type AppOptions,
  type CallOptions,
  currentTask,
  Ignore,
  Reject,
  SoftTimeLimitExceededError,
  type TaskContext,
  type TaskOptions,
} from '../src/index.ts'
import type { TraceInput, TraceOutcome } from '../src/internal.ts'
import { goldenRecord, goldenRecords } from './golden.ts'
import { type TestApp, testApp } from './test-app.ts'

/** Sends a task and runs it. */
async function outcomeOf(
  test: TestApp,
  send: () => Promise<unknown>,
  change: (input: TraceInput) => TraceInput = (input) => input,
  signal?: AbortSignal,
): Promise<TraceOutcome> {
  await send()
  const { input } = await test.take()
  return test.app.tracer.run(change(input), signal && { signal })
}

function recordOf({ write }: TraceOutcome) {
  if (write === undefined) throw new Error('nothing is to be stored')
  return decodeResultRecord(write.record)
}

function callOf({ message, exchange, routingKey }: Publication) {
  const headers = decodeTaskHeaders(message.headers)
  const { args, kwargs, embed } = decodeTaskBody(JSON.parse(String(message.body)))
  return { headers, args, kwargs, embed, exchange, routingKey, properties: message.properties }
}

async function setUp(options: AppOptions = {}) {
  const made = await testApp(options)
  const { app } = made
  const tasks = {
    add: app.task('add', (x: number, y: number) => x + y, { params: ['x', 'y'] }),
    slow: app.task('slow', async (x: number) => x),
    boom: app.task('boom', (message: string): never => {
      throw new RangeError(message)
    }),
    give: app.task('give', (x: unknown) => x),
  }
  return { ...made, made, ...tasks }
}

describe('a task that succeeds', () => {
  test('leaves its value', async () => {
    const { made, add } = await setUp()
    const outcome = await outcomeOf(made, () => add.delay(2, 3))
    expect(outcome).toMatchObject({ state: 'SUCCESS', text: '5' })
    expect(outcome.runtime).toBeGreaterThanOrEqual(0)
    expect(recordOf(outcome)).toMatchObject({ status: 'SUCCESS', result: 5 })
    expect(outcome).not.toHaveProperty('publish')
    expect(outcome).not.toHaveProperty('dead')
  })

  test.each<[TaskOptions, number]>([
    [{}, 1_024],
    [{ resultreprMaxsize: 10 }, 10],
  ])('with %o shows so much of its value in logs', async (options, length) => {
    const { made, app } = await setUp()
    const task = app.task('long', () => 'x'.repeat(5_000), options)
    const { text } = await outcomeOf(made, () => task.delay())
    expect(text.length).toBeGreaterThan(length - 5)
    expect(text.length).toBeLessThan(length + 10)
  })

  test('may be asynchronous, or give a promise-like', async () => {
    const { made, app, slow } = await setUp()
    expect(recordOf(await outcomeOf(made, () => slow.delay(7))).result).toBe(7)
    // biome-ignore lint/suspicious/noThenProperty: a promise of another library
    const thenable = app.task('thenable', () => ({ then: (resolve: (value: number) => void) => resolve(8) }))
    expect(recordOf(await outcomeOf(made, () => thenable.delay())).result).toBe(8)
  })

  test('gets its arguments by name, from any language', async () => {
    const { made, app } = await setUp()
    const outcome = await outcomeOf(made, () => app.sendTask('add', [40], { kwargs: { y: 2 } }))
    expect(recordOf(outcome).result).toBe(42)
  })

  test('leaves a record of the form that Celery writes', async () => {
    const { made, add } = await setUp()
    const golden = goldenRecord('success')
    const outcome = await outcomeOf(made, () => add.applyAsync([2, 3], { taskId: 'the-id' }))
    const { date_done, ...record } = JSON.parse(String(outcome.write?.record)) as Record<string, unknown>
    expect(record).toEqual({ ...golden, task_id: 'the-id', date_done: undefined })
    expect(String(date_done)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/)
    expect(outcome.write).toMatchObject({ taskId: 'the-id', state: 'SUCCESS', ttlMs: 86_400_000 })
  })

  test('says more where more is asked for', async () => {
    const { made, app } = await setUp({ settings: { resultExtended: true } })
    const outcome = await outcomeOf(made, () => app.sendTask('add', [2], { kwargs: { y: 3 } }))
    expect(recordOf(outcome)).toMatchObject({
      name: 'add',
      args: [2],
      kwargs: { y: 3 },
      worker: 'worker@test',
      retries: 0,
      queue: 'celery',
    })
  })

  test('names its group and its parent where it has them', async () => {
    const { made, add } = await setUp()
    const outcome = await outcomeOf(
      made,
      () => add.delay(1, 2),
      (input) => ({ ...input, headers: { ...input.headers, group: 'g', parent_id: 'p' } }),
    )
    expect(recordOf(outcome)).toMatchObject({ group_id: 'g', parent_id: 'p' })
  })

  test.each([
    [null, undefined],
    [0, undefined],
    [60, 60_000],
  ])('with resultExpires %s lives %s ms', async (resultExpires, ttlMs) => {
    const { made, add } = await setUp({ settings: { resultExpires } })
    expect((await outcomeOf(made, () => add.delay(1, 2))).write?.ttlMs).toBe(ttlMs)
  })
})

describe('a task that fails', () => {
  test('leaves its error and where it happened', async () => {
    const { made, boom } = await setUp()
    const outcome = await outcomeOf(made, () => boom.delay('too far'))
    expect(outcome).toMatchObject({ state: 'FAILURE', text: "RangeError('too far')" })
    expect(recordOf(outcome)).toMatchObject({
      status: 'FAILURE',
      result: { exc_type: 'RangeError', exc_message: ['too far'], exc_module: null },
      traceback: expect.stringContaining('tracer.test.ts'),
      date_done: expect.any(String),
    })
    expect(outcome.traceback).toContain('RangeError: too far')
    expect(outcome).not.toHaveProperty('dead')
  })

  test('the caller gets its error again', async () => {
    const { app, boom, runNext } = await setUp()
    const result = await boom.delay('too far')
    await runNext()
    await expect(result.get({ timeout: 5 })).rejects.toThrow(RangeError)
    await expect(app.asyncResult(result.id).get({ timeout: 5 })).rejects.toMatchObject({
      message: 'too far',
      taskId: result.id,
    })
  })

  test('an error class of the user comes back as such once it is registered', async () => {
    class Refused extends Error {}
    const { app, runNext } = await setUp()
    app.errors.register(Refused)
    const result = await app.task('refuse', () => Promise.reject(new Refused('no'))).delay()
    await runNext()
    await expect(result.get({ timeout: 5 })).rejects.toBeInstanceOf(Refused)
  })

  test("arguments that do not fit leave Python's TypeError", async () => {
    const { made, app } = await setUp()
    const outcome = await outcomeOf(made, () => app.sendTask('add', [1], { kwargs: { z: 1 } }))
    expect(recordOf(outcome).result).toEqual({
      exc_type: 'TypeError',
      exc_message: ["add() got an unexpected keyword argument 'z'"],
      exc_module: 'builtins',
    })
  })

  test.each<[string, unknown, string]>([
    ['a function', () => 0, 'FAILURE'],
    ['a symbol', Symbol('x'), 'FAILURE'],
    ['a circle', circle(), 'FAILURE'],
    ['nothing', undefined, 'SUCCESS'],
    ['an integer beyond all others', 2n ** 80n, 'SUCCESS'],
    ['not a number', Number.NaN, 'SUCCESS'],
  ])('a result that is %s', async (_name, value, status) => {
    const { made, app } = await setUp()
    const task = app.task('value', () => value)
    const outcome = await outcomeOf(made, () => task.delay())
    expect(outcome.state).toBe(status)
    if (status === 'FAILURE') expect(recordOf(outcome).result).toMatchObject({ exc_type: 'EncodeError' })
  })

  const thrown: readonly [string, () => unknown][] = [
    ['undefined', () => undefined],
    ['null', () => null],
    ['text', () => 'text'],
    ['a number', () => 3],
    ['a symbol', () => Symbol('x')],
    ['a circle', circle],
    ['an object without prototype', () => Object.create(null)],
    [
      'an error in a circle of causes',
      () => {
        const error = new Error('round')
        error.cause = error
        return error
      },
    ],
    [
      'an error whose message throws',
      () =>
        Object.defineProperty(new Error('x'), 'message', {
          get: () => {
            throw new Error('gotcha')
          },
        }),
    ],
    ['an error without a stack', () => Object.assign(new Error('x'), { stack: undefined })],
  ]
  test.each(thrown)('throwing %s is a failure like any other', async (_name, make) => {
    const { made, app } = await setUp()
    const task = app.task('throws', () => {
      throw make()
    })
    const outcome = await outcomeOf(made, () => task.delay())
    expect(outcome.state).toBe('FAILURE')
    expect(recordOf(outcome).status).toBe('FAILURE')
  })

  test('an errback that cannot be sent does not hide the failure', async () => {
    const { made, boom, give } = await setUp()
    const errback = give.s().set({ serializer: 'nope' })
    const outcome = await outcomeOf(made, () => boom.applyAsync(['x'], { linkError: errback }))
    expect(outcome.state).toBe('FAILURE')
    expect(recordOf(outcome)).toMatchObject({ status: 'FAILURE', result: { exc_type: 'RangeError' } })
    expect(outcome.text).toMatch(/^RangeError\('x'\); its errbacks cannot be sent: .*nope/)
  })
})

describe('a task that ends otherwise', () => {
  test('Ignore leaves nothing', async () => {
    const { made, app, give } = await setUp()
    const task = app.task('ignore', () => Promise.reject(new Ignore()))
    const outcome = await outcomeOf(made, () => task.applyAsync([], { linkError: give.s(), link: give.si(1) }))
    expect(outcome).toMatchObject({ state: 'IGNORED', text: 'the task asked to be ignored' })
    expect(outcome).not.toHaveProperty('write')
    expect(outcome).not.toHaveProperty('publish')
  })

  test.each([true, false])('TASK-097 Reject with requeue %s says so, with the record of a failure', async (requeue) => {
    const { made, app, give } = await setUp()
    const task = app.task('reject', () => {
      throw new Reject('not mine', { requeue })
    })
    const outcome = await outcomeOf(made, () => task.applyAsync([], { linkError: give.s(), link: give.si(1) }))
    expect(outcome).toMatchObject({ state: 'REJECTED', requeue, text: 'not mine' })
    expect(outcome).not.toHaveProperty('publish')
    expect(recordOf(outcome)).toMatchObject({
      status: 'FAILURE',
      result: { exc_type: 'Reject', exc_message: ['not mine', requeue], exc_module: 'celery.exceptions' },
      traceback: expect.stringContaining('Reject: not mine'),
    })
  })

  test('TASK-097 Reject leaves nothing where results are ignored', async () => {
    const { made, app } = await setUp()
    const task = app.task('reject', () => Promise.reject(new Reject()), { ignoreResult: true })
    expect(await outcomeOf(made, () => task.delay())).not.toHaveProperty('write')
  })
})

describe('whether the outcome is kept', () => {
  const cases: readonly [
    name: string,
    settings: NonNullable<AppOptions['settings']>,
    task: Pick<TaskOptions, 'ignoreResult' | 'storeErrorsEvenIfIgnored'>,
    call: Pick<CallOptions, 'ignoreResult'>,
    success: boolean,
    failure: boolean,
  ][] = [
    ['by default', {}, {}, {}, true, true],
    ['not where the settings ignore it', { taskIgnoreResult: true }, {}, {}, false, false],
    ['not where the task ignores it', {}, { ignoreResult: true }, {}, false, false],
    ['not where the call ignores it', {}, {}, { ignoreResult: true }, false, false],
    [
      'where the task wants what the settings do not',
      { taskIgnoreResult: true },
      { ignoreResult: false },
      {},
      true,
      true,
    ],
    ['where the call wants what the task does not', {}, { ignoreResult: true }, { ignoreResult: false }, true, true],
    ['errors all the same', { taskIgnoreResult: true, taskStoreErrorsEvenIfIgnored: true }, {}, {}, false, true],
    ['errors of the task all the same', {}, { ignoreResult: true, storeErrorsEvenIfIgnored: true }, {}, false, true],
    [
      'errors not, by the task',
      { taskIgnoreResult: true, taskStoreErrorsEvenIfIgnored: true },
      { storeErrorsEvenIfIgnored: false },
      {},
      false,
      false,
    ],
  ]
  test.each(cases)('%s', async (_name, settings, options, call, success, failure) => {
    const { made, app } = await setUp({ settings })
    const good = app.task('good', () => 1, options)
    const bad = app.task('bad', () => Promise.reject(new Error('x')), options)
    expect((await outcomeOf(made, () => good.applyAsync([], call))).write !== undefined).toBe(success)
    expect((await outcomeOf(made, () => bad.applyAsync([], call))).write !== undefined).toBe(failure)
  })

  test('not without a result store, and the task runs all the same', async () => {
    const made = await testApp({ backend: undefined as never })
    const task = made.app.task('t', () => 1)
    const outcome = await outcomeOf(made, () => task.delay())
    expect(outcome).toMatchObject({ state: 'SUCCESS', text: '1' })
    expect(outcome).not.toHaveProperty('write')
  })
})

describe('what follows', () => {
  test('callbacks get the result in front, as children of the task, with ids derived from its own', async () => {
    const { made, add, give } = await setUp()
    const link = [add.s(10), give.si('fixed')]
    const outcome = await outcomeOf(made, () => add.applyAsync([2, 3], { link, taskId: 'parent' }))
    const calls = (outcome.publish ?? []).map(callOf)
    expect(calls.map(({ headers, args }) => [headers.task, args])).toEqual([
      ['add', [5, 10]],
      ['give', ['fixed']],
    ])
    for (const { headers } of calls) expect(headers).toMatchObject({ parent_id: 'parent', root_id: 'parent' })
    expect(calls.map(({ headers }) => headers.id)).toEqual([
      derivedId('parent', 'callback:0:0'),
      derivedId('parent', 'callback:1:0'),
    ])
  })

  test('the next step of a chain gets the result and what comes after it', async () => {
    const { made, add } = await setUp()
    const steps = add.s(2, 3).pipe(add.s(4)).pipe(add.s(5))
    let last = ''
    const outcome = await outcomeOf(made, async () => {
      last = (await steps.delay()).id
    })
    const [next, ...others] = (outcome.publish ?? []).map(callOf)
    expect(others).toEqual([])
    expect(next).toMatchObject({ args: [5, 4], headers: { task: 'add' } })
    expect(next?.embed.chain?.map(({ options }) => options.task_id)).toEqual([last])
    expect(next?.headers.root_id).toBe(next?.headers.parent_id)
  })

  test('what follows is among the children of the result, as Celery keeps them', async () => {
    const { made, app, add, give } = await setUp()
    const childrenOf = async (send: () => Promise<unknown>) => recordOf(await outcomeOf(made, send)).children
    const child = (id: unknown, parent: unknown = null) => [[id, parent], null]
    // As recorded: a callback, and the next step of a chain, are a child each.
    for (const name of ['link', 'chain']) {
      const lists = goldenRecords(name).map(({ children }) => children)
      expect([name, lists]).toEqual([name, expect.arrayContaining([[child(expect.any(String))]])])
    }
    const link = [add.s(10), give.si(1).pipe(give.s())]
    expect(await childrenOf(() => add.applyAsync([2, 3], { link, taskId: 'parent' }))).toEqual([
      child(derivedId('parent', 'callback:0:0')),
      child(derivedId('parent', 'callback:1:1'), child(derivedId('parent', 'callback:1:0'))),
    ])
    const sender = app.task('sender', async () => void (await give.applyAsync([1], { taskId: 'sent' })))
    const options = { taskId: 'first', link: give.si(2) }
    const steps = sender
      .s()
      .set({ taskId: 'first' })
      .pipe(give.si(3).set({ taskId: 'second' }))
      .pipe(give.si(4))
    expect(await childrenOf(() => steps.delay())).toEqual([child('sent'), child('second')])
    await made.take()
    expect(await childrenOf(() => sender.applyAsync([], options))).toEqual([
      child('sent'),
      child(derivedId('first', 'callback:0:0')),
    ])
    await made.take()
    const alone = app.task('alone', () => 1, { trail: false })
    expect(await childrenOf(() => alone.applyAsync([], { link }))).toEqual([])
  })

  test('a repeated run of the same message makes the same messages', async () => {
    const { made, add, give } = await setUp()
    await add.s(1, 2).pipe(add.s(3)).link(give.s()).linkError(give.s()).delay()
    const { input } = await made.take()
    const first = await made.app.tracer.run(input, undefined)
    const second = await made.app.tracer.run({ ...input, redeliveries: 1 }, undefined)
    const ids = (outcome: TraceOutcome) => outcome.publish?.map((each) => callOf(each).headers.id)
    expect(ids(second)).toEqual(ids(first))
    expect(ids(first)).toHaveLength(1)
  })

  test('errbacks get the id of the task that failed', async () => {
    const { made, boom, give } = await setUp()
    const outcome = await outcomeOf(made, () =>
      boom.applyAsync(['x'], { taskId: 'failed', link: give.s(), linkError: [give.s(), give.si('fixed')] }),
    )
    const calls = (outcome.publish ?? []).map(callOf)
    expect(calls.map(({ args }) => args)).toEqual([['failed'], ['fixed']])
    expect(calls[0]?.headers).toMatchObject({ id: derivedId('failed', 'errback:0:0'), parent_id: 'failed' })
  })

  test('it goes where its own signature, its task and the routes say', async () => {
    const { made, app, add } = await setUp({ settings: { taskRoutes: { routed: 'by-route' } } })
    const routed = app.task('routed', (x: number) => x)
    const own = app.task('own', (x: number) => x, { queue: 'by-task' })
    const link = [routed.s(), own.s(), own.s().set({ queue: 'by-call', priority: 4 })]
    const outcome = await outcomeOf(made, () => add.applyAsync([1, 2], { link }))
    const calls = (outcome.publish ?? []).map(callOf)
    expect(calls.map(({ routingKey }) => routingKey)).toEqual(['by-route', 'by-task', 'by-call'])
    expect(calls[2]?.properties.priority).toBe(4)
  })

  test('a chain of three runs through, and its errbacks are called whichever step fails', async () => {
    const { app, add, boom, give, runNext, waiting } = await setUp()
    const failed: unknown[] = []
    const onError = app.task('on-error', (id: string) => void failed.push(id))
    const result = await add.s(2, 2).pipe(add.s(4)).pipe(add.s(8)).linkError(onError.s()).delay()
    for (let step = 0; step < 3; step++) await runNext()
    expect(await result.get({ timeout: 5 })).toBe(16)
    expect(await waiting()).toBe(0)

    const broken = await give
      .s('x')
      .pipe(boom.s() as never)
      .pipe(give.s())
      .linkError(onError.s())
      .delay()
    for (let step = 0; step < 3; step++) await runNext()
    expect(failed).toEqual([broken.parent?.id])
    await expect(broken.get({ timeout: 5 })).rejects.toThrow(RangeError)
    expect(await waiting()).toBe(0)
  })
})

describe('CANV-061 the steps after one that did not succeed end as it did, as in Celery 5', () => {
  const told = ({ unreached = [] }: TraceOutcome) =>
    unreached.map(({ record, state, taskId }) => {
      const { result, status, task_id } = decodeResultRecord(record)
      expect([status, task_id]).toEqual([state, taskId])
      return [taskId, state, (result as { exc_type?: string }).exc_type]
    })

  /** A chain whose first step was taken by a worker, and what it is to come to. */
  async function chainOf(options?: AppOptions, first: TaskOptions = {}, second: TaskOptions = {}) {
    const parts = await setUp(options)
    const { app, give, made } = parts
    let thrown: unknown = new RangeError('no')
    const fails = app.task(
      'fails',
      (): never => {
        throw thrown
      },
      first,
    )
    const second_ = app.task('second', (x: unknown) => x, second)
    const last = await fails.s().pipe(second_.s()).pipe(give.s()).delay()
    const [b, c] = [last.parent?.id, last.id]
    const { input } = await made.take()
    const run = (error?: unknown): Promise<TraceOutcome> => {
      thrown = error ?? thrown
      return Promise.resolve(app.tracer.run(input, undefined))
    }
    return { ...parts, b, c, input, last, run }
  }

  test('with its error and its traceback, in their order', async () => {
    const { b, c, run } = await chainOf()
    const outcome = await run()
    expect(told(outcome)).toEqual([
      [b, 'FAILURE', 'RangeError'],
      [c, 'FAILURE', 'RangeError'],
    ])
    const { result, traceback } = recordOf(outcome)
    for (const { record, ttlMs } of outcome.unreached ?? []) {
      expect(decodeResultRecord(record)).toMatchObject({ result, traceback, children: [] })
      expect(ttlMs).toBe(86_400_000)
    }
  })

  test('P-11 in short where its error is long: it is told once for each of them', async () => {
    const { run } = await chainOf()
    const outcome = await run(new RangeError('no '.repeat(400_000)))
    expect((recordOf(outcome).result as { exc_message: string[] }).exc_message[0]).toHaveLength(1_200_000)
    const short = { exc_type: 'RangeError', exc_message: [`${'no '.repeat(400_000).slice(0, 1_000)}…`] }
    for (const { record } of outcome.unreached ?? []) {
      expect(decodeResultRecord(record)).toMatchObject({ status: 'FAILURE', result: short, traceback: null })
    }
    expect(outcome.unreached).toHaveLength(2)
  })

  test('whichever way it did not succeed: REVOKED where it was not to run', async () => {
    const { app, b, c, input, run } = await chainOf()
    const all = (state: string, type: string) => [
      [b, state, type],
      [c, state, type],
    ]
    expect(told(await app.tracer.failed(input, new Error('lost')))).toEqual(all('FAILURE', 'Error'))
    expect(told(await app.tracer.revoked(input, new Error('expired')))).toEqual(all('REVOKED', 'Error'))
    expect(told(await run(new Reject('not for me')))).toEqual(all('FAILURE', 'Reject'))
    app.tasks.delete('fails')
    expect(told(await run())).toEqual(all('FAILURE', 'NotRegistered'))
    const unreadable = {
      get message(): string {
        throw new Error('unreadable')
      },
    }
    expect(told(await app.tracer.failed(input, Object.setPrototypeOf(unreadable, Error.prototype)))).toHaveLength(2)
  })

  test('also where what follows could not have been carried out', async () => {
    const { app, b, c, input } = await chainOf()
    const [args, kwargs, embed] = JSON.parse(String(input.body))
    const chord = { task: 'x', args: [], kwargs: {}, options: {}, subtask_type: null, immutable: false }
    const refused = await app.tracer.run(
      { ...input, body: JSON.stringify([args, kwargs, { ...embed, chord }]) },
      undefined,
    )
    expect(refused.dead).toContain('chord')
    expect(told(refused).map(([id]) => id)).toEqual([b, c])
  })

  test('not where it may still succeed, or asks that nothing be kept', async () => {
    const { run } = await chainOf({}, { autoretryFor: [TypeError] })
    expect(await run(new TypeError('again'))).toMatchObject({ state: 'RETRY' })
    for (const error of [new TypeError('again'), new Ignore('nothing')]) {
      expect(await run(error)).not.toHaveProperty('unreached')
    }
    const { add, made } = await setUp()
    expect(await outcomeOf(made, () => add.s(1, 1).pipe(add.s(1)).delay())).not.toHaveProperty('unreached')
  })

  test('each says for itself whether its result is ignored', async () => {
    const quiet = await chainOf({}, { ignoreResult: true })
    const outcome = await quiet.run()
    expect(outcome).not.toHaveProperty('write')
    expect(told(outcome).map(([id]) => id)).toEqual([quiet.b, quiet.c])
    const { c, run } = await chainOf({}, {}, { ignoreResult: true })
    expect(told(await run()).map(([id]) => id)).toEqual([c])
    const errors = await chainOf({}, {}, { ignoreResult: true, storeErrorsEvenIfIgnored: true })
    expect(told(await errors.run())).toHaveLength(2)
    const none = await chainOf({ settings: { taskIgnoreResult: true } })
    expect(await none.run()).not.toHaveProperty('unreached')
    const noStore = await setUp({ backend: undefined as never })
    const sent = () => noStore.boom.s('x').pipe(noStore.give.s()).delay()
    expect(await outcomeOf(noStore.made, sent)).not.toHaveProperty('unreached')
  })

  test('with resultExtended they say what they would have run', async () => {
    const { input, app } = await chainOf({ settings: { resultExtended: true } })
    const [, , embed] = JSON.parse(String(input.body))
    embed.chain[0] = { ...embed.chain[0], kwargs: { by: 2 }, options: { ...embed.chain[0].options, group_id: 'g' } }
    const { unreached = [] } = await app.tracer.failed({ ...input, body: JSON.stringify([[], {}, embed]) }, 'gone')
    expect(unreached.map(({ record }) => decodeResultRecord(record))).toMatchObject([
      { name: 'second', args: [], kwargs: {}, worker: null, queue: null, retries: 0 },
      { name: 'give', args: [], kwargs: { by: 2 }, group_id: 'g' },
    ])
  })

  test('those of messages that the broker refuses too', async () => {
    const { app, add, made } = await setUp()
    const last = await add.s(1, 1).pipe(add.s(1)).pipe(add.s(1)).delay()
    const { input } = await made.take()
    const { publish = [] } = await app.tracer.run(input, undefined)
    const unsent = app.tracer.unsent(publish, new Error('nowhere to go'))
    expect(unsent.map(({ taskId }) => taskId)).toEqual([last.parent?.id, last.id])
    for (const { record } of unsent) {
      expect(decodeResultRecord(record)).toMatchObject({
        status: 'FAILURE',
        result: { exc_message: ['nowhere to go'] },
      })
    }
    const [next] = publish as [Publication]
    expect(app.tracer.unsent([{ ...next, message: { ...next.message, headers: {} } }], new Error('x'))).toEqual([])
  })
})

describe('what cannot be run goes to the dead letters, and its failure is stored', () => {
  test('a task that nobody knows here, with the name it may have meant', async () => {
    const { made, app } = await setUp()
    const outcome = await outcomeOf(made, () => app.sendTask('addd', [1]))
    expect(outcome).toMatchObject({ state: 'FAILURE', dead: expect.stringContaining('did you mean "add"?') })
    expect(recordOf(outcome).result).toEqual({
      exc_type: 'NotRegistered',
      exc_message: ['addd'],
      exc_module: 'celery.exceptions',
    })
  })

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('a task named %s', async (name) => {
    const { made, app } = await setUp()
    expect(await outcomeOf(made, () => app.sendTask(name))).toMatchObject({ dead: expect.stringContaining(name) })
  })

  test.each<[string, Partial<TraceInput>]>([
    ['a body that is no JSON', { body: '[[1, 2], {}, {' }],
    ['a body of two parts', { body: '[[1, 2], {}]' }],
    ['a body that is not UTF-8', { body: new Uint8Array([0xff, 0xfe]) }],
    ['a content type that is not accepted', { contentType: 'application/x-python-serialize' }],
    ['a content type that nobody knows', { contentType: 'application/x-nope' }],
    ['an encoding that nobody knows', { contentEncoding: 'klingon' }],
  ])('%s', async (_name, change) => {
    const { made, add } = await setUp()
    const outcome = await outcomeOf(
      made,
      () => add.delay(1, 2),
      (input) => ({ ...input, ...change }),
    )
    expect(outcome).toMatchObject({ state: 'FAILURE', dead: expect.any(String), runtime: 0 })
    expect(recordOf(outcome).status).toBe('FAILURE')
    expect(outcome).not.toHaveProperty('publish')
  })

  test('a compression that nobody knows, or a body that is not compressed', async () => {
    const { made, add } = await setUp()
    for (const compression of ['application/x-nope', 'application/x-gzip']) {
      const outcome = await outcomeOf(
        made,
        () => add.delay(1, 2),
        (input) => ({ ...input, headers: { ...input.headers, compression } }),
      )
      expect(outcome).toMatchObject({ state: 'FAILURE', dead: expect.any(String) })
    }
  })

  const signature = { task: 'add', args: [], kwargs: {}, options: {}, subtask_type: null, immutable: false }
  const group = { ...signature, task: 'celery.group', subtask_type: 'group', kwargs: { tasks: [] } }
  test.each<[string, object]>([
    ['a chord', { chord: signature }],
    ['a group among the callbacks', { callbacks: [group] }],
    ['a group among the errbacks', { errbacks: [group] }],
    ['a group in the chain', { chain: [signature, group] }],
    ['a group behind a callback', { callbacks: [{ ...signature, options: { link: [group] } }] }],
  ])('%s: before it runs, with a named error, and calls nobody back', async (_name, embed) => {
    const { made, app } = await setUp()
    let runs = 0
    const task = app.task('counted', () => ++runs)
    const body = JSON.stringify([
      [],
      {},
      { callbacks: null, errbacks: [signature], chain: null, chord: null, ...embed },
    ])
    const outcome = await outcomeOf(
      made,
      () => task.delay(),
      (input) => ({ ...input, body }),
    )
    expect(runs).toBe(0)
    expect(outcome).toMatchObject({ state: 'FAILURE', dead: expect.any(String) })
    expect(recordOf(outcome).result).toMatchObject({ exc_type: 'CompositeSignatureError' })
    expect(outcome).not.toHaveProperty('publish')
  })
})

describe('whatever a task throws is its failure', () => {
  const refuse = () => {
    throw new Error('no')
  }
  const hostile = { get: refuse, has: refuse, getPrototypeOf: refuse, ownKeys: refuse } satisfies ProxyHandler<object>
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const odd: readonly [name: string, thrown: unknown][] = [
    ['an error whose stack is no text', Object.assign(new Error('x'), { stack: Symbol('odd') })],
    ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: refuse })],
    ['an error whose cause throws', Object.defineProperty(new Error('x'), 'cause', { get: refuse })],
    ['a proxy of an error', new Proxy(new Error('x'), hostile)],
    ['a proxy that was revoked', revoked.proxy],
    ['an object without a prototype', Object.create(null)],
    ['a symbol', Symbol('odd')],
    ['nothing', undefined],
  ]

  test.each(odd)('%s', async (_name, thrown) => {
    const { made, app } = await setUp()
    const now = app.task('now', () => {
      throw thrown
    })
    const later = app.task('later', async () => {
      throw thrown
    })
    for (const task of [now, later]) {
      const outcome = await outcomeOf(made, () => task.delay())
      expect(outcome).toMatchObject({ state: 'FAILURE', text: expect.any(String), traceback: expect.any(String) })
      expect(recordOf(outcome)).toMatchObject({ status: 'FAILURE', result: { exc_type: expect.any(String) } })
    }
    await now.delay()
    const { input } = await made.take()
    expect(recordOf(await app.tracer.failed(input, thrown)).status).toBe('FAILURE')
    expect(recordOf(await app.tracer.revoked(input, thrown as Error)).status).toBe('REVOKED')
  })

  test('also where the options of the task cannot be read', async () => {
    const { made, app } = await setUp()
    let readable = true
    const options = {
      get ignoreResult(): boolean {
        if (!readable) throw new Error('unreadable option')
        return false
      },
    }
    const now = app.task('now', () => 1, options)
    const later = app.task('later', async () => 1, options)
    for (const task of [now, later]) {
      await task.delay()
      const { input } = await made.take()
      readable = false
      const unsure = { ...input, headers: { ...input.headers, ignore_result: null } }
      const outcomes = [
        await app.tracer.run(unsure, undefined),
        app.tracer.failed(unsure, new Error('gone')),
        app.tracer.revoked(unsure, new Error('revoked')),
      ]
      for (const outcome of await Promise.all(outcomes)) {
        expect(outcome).toMatchObject({ state: 'FAILURE', text: expect.stringContaining('unreadable option') })
        expect(recordOf(outcome)).toMatchObject({ status: 'FAILURE', task_id: input.headers.id })
      }
      readable = true
    }
  })

  test('a follow-up that is too large', async () => {
    const { made, give, app } = await setUp()
    const large = app.task('large', () => '"'.repeat(5 * 1024 * 1024))
    const outcome = await outcomeOf(made, () => large.applyAsync([], { link: give.s(), linkError: give.s() }))
    expect(outcome.state).toBe('FAILURE')
    expect(recordOf(outcome).result).toMatchObject({ exc_type: 'TaskMessageTooLargeError' })
    expect(outcome.publish).toHaveLength(1)
  })
})

test('a record tells of the arguments only where it can hold them', async () => {
  const { made, app } = await setUp({ settings: { resultExtended: true, acceptContent: ['json', 'odd'] } })
  app.serializers.register('odd', {
    contentType: 'application/x-odd',
    contentEncoding: 'utf-8',
    encode: () => '',
    decode: () => [[Symbol('odd')], {}, null],
  })
  const task = app.task('odd', (value: unknown) => typeof value)
  const outcome = await outcomeOf(
    made,
    () => task.delay(1),
    (input) => ({ ...input, contentType: 'application/x-odd' }),
  )
  expect(recordOf(outcome)).toMatchObject({ status: 'SUCCESS', result: 'symbol', name: 'odd', args: [] })
})

describe('outcomes of tasks that did not end by themselves', () => {
  test('a lost worker or a hard limit is a failure that calls the errbacks', async () => {
    const { made, add, give } = await setUp()
    await add.applyAsync([1, 2], { linkError: give.s(), link: give.s(), taskId: 'lost' })
    const { input } = await made.take()
    const outcome = await made.app.tracer.failed(input, new Error('gone'))
    expect(recordOf(outcome)).toMatchObject({ status: 'FAILURE', task_id: 'lost' })
    expect(outcome.publish?.map((each) => callOf(each).args)).toEqual([['lost']])
  })

  test('also where the body cannot be read', async () => {
    const { made, add } = await setUp()
    await add.delay(1, 2)
    const { input } = await made.take()
    const outcome = await made.app.tracer.failed({ ...input, body: '{' }, new Error('gone'))
    expect(recordOf(outcome).result).toMatchObject({ exc_message: ['gone'] })
  })

  test('a record that the store refuses gives way to one that says why', async () => {
    const { app } = await setUp()
    const write = app.tracer.refusedRecord('the-id', new Error('too large'))
    expect(write).toMatchObject({ taskId: 'the-id', state: 'FAILURE', ttlMs: 86_400_000 })
    expect(decodeResultRecord(write.record)).toMatchObject({
      task_id: 'the-id',
      status: 'FAILURE',
      result: { exc_type: 'Error', exc_message: ['too large'] },
    })
  })

  test('a revoked task is REVOKED and ends there', async () => {
    const { made, add, give } = await setUp()
    await add.applyAsync([1, 2], { linkError: give.s() })
    const { input } = await made.take()
    const outcome = await made.app.tracer.revoked(input, new Error('revoked'))
    expect(recordOf(outcome)).toMatchObject({ status: 'REVOKED', date_done: expect.any(String) })
    expect(outcome).not.toHaveProperty('publish')
  })

  test('a task that has started says where, in the form that Celery writes', async () => {
    const { made, add } = await setUp()
    await add.applyAsync([1, 2], { taskId: 'the-id' })
    const { input } = await made.take()
    const write = made.app.tracer.startedRecord(input, 42)
    const golden = { ...goldenRecord('started'), status: 'STARTED', date_done: null }
    const record = JSON.parse(String(write?.record)) as object
    expect(record).toEqual({ ...golden, task_id: 'the-id', result: { pid: 42, hostname: 'worker@test' } })
  })

  test.each(['revoked', 'startedRecord'] as const)(
    '%s stores nothing for a task that ignores its results',
    async (what) => {
      const { made, app } = await setUp()
      const task = app.task('ignored', () => 1, { ignoreResult: true })
      await task.delay()
      const { input } = await made.take()
      // As an older sender leaves it: then the task itself decides.
      const undecided = { ...input, headers: { ...input.headers, ignore_result: null } }
      const { tracer } = app
      const write =
        what === 'revoked'
          ? (await tracer.revoked(undecided, new Error('x'))).write
          : tracer.startedRecord(undecided, 1)
      expect(write).toBeUndefined()
    },
  )
})

describe('a running task', () => {
  test('knows its request', async () => {
    const { made, app } = await setUp()
    const task = app.task('who', (context, x: number) => ({ ...context.request, headers: undefined, x }), {
      bind: true,
    })
    const outcome = await outcomeOf(
      made,
      () => task.applyAsync([1], { taskId: 'me', headers: { trace: 't' } }),
      (input) => ({ ...input, redeliveries: 2, headers: { ...input.headers, retries: 3, group: 'g' } }),
    )
    expect(recordOf(outcome).result).toMatchObject({
      id: 'me',
      task: 'who',
      args: [1],
      kwargs: {},
      x: 1,
      retries: 3,
      redeliveries: 2,
      rootId: 'me',
      parentId: null,
      group: 'g',
      hostname: 'worker@test',
      queue: 'celery',
      calledDirectly: false,
      origin: expect.stringMatching(/^gen\d+@/),
    })
  })

  test("finds the user's own headers and its signal", async () => {
    const { made, app } = await setUp()
    const abort = new AbortController()
    const task = app.task('look', async () => {
      await Promise.resolve()
      const running = currentTask()
      return [running?.request.headers['trace'], running?.signal === abort.signal]
    })
    const outcome = await outcomeOf(
      made,
      () => task.applyAsync([], { headers: { trace: 't' } }),
      undefined,
      abort.signal,
    )
    expect(recordOf(outcome).result).toEqual(['t', true])
    expect(currentTask()).toBeUndefined()
  })

  test('what it sends is its child and of its workflow', async () => {
    const { made, app, add, take } = await setUp()
    const sender = app.task('sender', async () => {
      await Promise.resolve()
      await add.delay(1, 2)
      await add.s(1, 2).pipe(add.s(3)).delay()
      await app.sendTask('elsewhere')
    })
    await outcomeOf(
      made,
      () => sender.applyAsync([], { taskId: 'sender' }),
      (input) => ({ ...input, headers: { ...input.headers, root_id: 'root' } }),
    )
    for (let sent = 0; sent < 3; sent++) {
      expect((await take()).headers).toMatchObject({ parent_id: 'sender', root_id: 'root' })
    }
  })

  test('what it sends is its child also from within a task that it calls as a function', async () => {
    const { made, app, add, take } = await setUp()
    const inner = app.task('inner', async () => void (await add.delay(1, 2)))
    const outer = app.task('outer', async () => void (await inner()))
    await outcomeOf(made, () => outer.applyAsync([], { taskId: 'outer' }))
    expect((await take()).headers).toMatchObject({ parent_id: 'outer', root_id: 'outer' })
  })

  test('must not wait for another one', async () => {
    const { made, app, add } = await setUp()
    const waiter = app.task('waiter', async () => (await add.delay(1, 2)).get({ timeout: 5 }))
    const outcome = await outcomeOf(made, () => waiter.delay())
    expect(outcome).toMatchObject({ state: 'FAILURE', text: expect.stringContaining('never wait for a result') })
    expect(recordOf(outcome).result).toMatchObject({ exc_type: 'SyncSubtaskError' })
  })

  test('must not wait for another one from within a task that it calls as a function either', async () => {
    const { made, app, add } = await setUp()
    const inner = app.task('inner', async () => (await add.delay(1, 2)).get({ timeout: 5 }))
    const outer = app.task('outer', async () => inner())
    const outcome = await outcomeOf(made, () => outer.delay())
    expect(recordOf(outcome).result).toMatchObject({ exc_type: 'SyncSubtaskError' })
  })

  test.each(['the setting', 'the call'])('may wait where %s says so', async (who) => {
    const { made, app, add } = await setUp({ settings: { taskDisableSyncSubtasks: who !== 'the setting' } })
    const waiter = app.task('waiter', async () => {
      const result = await add.delay(1, 2)
      const value = result.get({ timeout: 5, disableSyncSubtasks: who !== 'the call' })
      await made.runNext()
      return value
    })
    expect(recordOf(await outcomeOf(made, () => waiter.delay())).result).toBe(3)
  })
})

test('what a worker receives is text or bytes, as its broker has it', async () => {
  const { made, app, add } = await setUp()
  await add.delay(20, 22)
  const { delivery, input } = await made.take()
  const { body } = decodeEnvelope(delivery.payload as string)
  const bytes = Buffer.from(body as string)
  expect(recordOf(await app.tracer.run({ ...input, body: bytes }, undefined)).result).toBe(42)
  expect(recordOf(await app.tracer.run({ ...input, body: bytes.toString() }, undefined)).result).toBe(42)
})

function circle(): unknown {
  const value: Record<string, unknown> = {}
  value['self'] = value
  return value
}

describe('a task whose soft time limit has passed', () => {
  const passed = AbortSignal.abort(new SoftTimeLimitExceededError(0.1))
  const heeding = ({ signal }: TaskContext) => wait(60_000, undefined, { signal })

  test('fails for it, where what it waited for says only that it was aborted', async () => {
    const { made, app } = await setUp()
    const task = app.task('heeding', heeding, { bind: true })
    const outcome = await outcomeOf(made, () => task.delay(), undefined, passed)
    expect(recordOf(outcome)).toMatchObject({ status: 'FAILURE', result: { exc_type: 'SoftTimeLimitExceeded' } })
  })

  test('is retried by itself, if its options say so', async () => {
    const { made, app } = await setUp()
    const options = { bind: true, autoretryFor: [SoftTimeLimitExceededError], dontAutoretryFor: [isAbort] } as const
    const task = app.task('heeding', heeding, options)
    const outcome = await outcomeOf(made, () => task.delay(), undefined, passed)
    expect(outcome.state).toBe('RETRY')
  })

  test('fails for what it threw, if that is something else: an abort of its own, say', async () => {
    const { made, app } = await setUp()
    const own = AbortSignal.abort(new Error('the caller has gone'))
    const task = app.task('aborting', () => wait(60_000, undefined, { signal: own }))
    const outcome = await outcomeOf(made, () => task.delay(), undefined, passed)
    expect(recordOf(outcome)).toMatchObject({ status: 'FAILURE', result: { exc_type: 'AbortError' } })
  })
})

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
