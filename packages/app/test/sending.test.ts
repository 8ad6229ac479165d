import { chain } from '@celery/canvas'
import { describe, expect, test } from 'vitest'
import type { CeleryApp, SendOptions, TaskOptions } from '../src/index.ts'
import { goldenMessage } from './golden.ts'
import { type Sent, testApp } from './test-app.ts'

/** The tasks of the recordings. */
function tasks(app: CeleryApp) {
  return {
    add: app.task('wapp.add', (x: number, y: number) => x + y),
    mul: app.task('wapp.mul', (x: number, y: number) => x * y),
    noop: app.task('wapp.noop', (..._args: unknown[]) => null),
    cb: app.task('wapp.cb', (_result: unknown) => null),
    onErr: app.task('wapp.on_err', (_id: string) => null),
    ignored: app.task('wapp.ignored', (x: number) => x, { ignoreResult: true }),
  }
}

type Tasks = ReturnType<typeof tasks>

/** What differs from one sending to the next, or by sender. */
const own = ['id', 'root_id', 'lang', 'origin', 'eta', 'expires']

function withoutOwn(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !own.includes(name)))
}

/** Without ids, addresses, and what Python lets leak into the properties. */
function plainProperties(properties: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const ignored = ['correlation_id', 'reply_to', 'delivery_tag', 'delivery_info', 'body_encoding', 'expiration']
  const leaked = ['argsrepr', 'kwargsrepr', 'shadow']
  return Object.fromEntries(Object.entries(properties).filter(([name]) => ![...ignored, ...leaked].includes(name)))
}

/** Signatures carry the ids and the reply queue of their sending. */
function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name]) => name !== 'task_id' && name !== 'reply_to')
  return Object.fromEntries(entries.map(([name, item]) => [name, withoutIds(item)]))
}

describe('a call, sent by Python and by us, is the same message', () => {
  const later = new Date(Date.UTC(2030, 0, 2, 3, 4, 5, 678))
  const calls: readonly [name: string, send: (tasks: Tasks, app: CeleryApp) => Promise<unknown>, queue?: string][] = [
    ['basic', ({ add }) => add.delay(2, 3)],
    ['noargs', ({ noop }) => noop.delay()],
    [
      'kwargs',
      (_, app) =>
        app.sendTask('wapp.noop', [1, 'two', null, 3.5, true, [1], 'ünï'], { kwargs: { k: { a: [1, 2] }, b: false } }),
    ],
    ['eta', ({ add }) => add.applyAsync([2, 3], { eta: later })],
    ['countdown', ({ add }) => add.applyAsync([2, 3], { countdown: 60 })],
    ['expires_seconds', ({ add }) => add.applyAsync([2, 3], { expires: 120 })],
    ['expires_datetime', ({ add }) => add.applyAsync([2, 3], { expires: '2031-01-02T03:04:05+00:00' })],
    ['priority', ({ add }) => add.applyAsync([2, 3], { priority: 7 })],
    ['priority_low', ({ add }) => add.applyAsync([2, 3], { priority: 2 })],
    ['queue', ({ add }) => add.applyAsync([2, 3], { queue: 'hipri' }), 'hipri'],
    ['custom_headers', ({ add }) => add.applyAsync([2, 3], { headers: { 'x-trace': 'abc', n: 5 } })],
    ['shadow', ({ add }) => add.applyAsync([2, 3], { shadow: 'pretty.name' })],
    ['argsrepr', ({ add }) => add.applyAsync([2, 3], { argsrepr: '(<2>, <3>)', kwargsrepr: '{secret}' })],
    ['time_limits', ({ add }) => add.applyAsync([2, 3], { timeLimit: 60, softTimeLimit: 50.5 })],
    ['delivery_mode_transient', ({ add }) => add.applyAsync([2, 3], { deliveryMode: 1 })],
    ['ignore_result_call', ({ add }) => add.applyAsync([1, 2], { ignoreResult: true })],
    ['ignore_result_task', ({ ignored }) => ignored.delay(1)],
    [
      'reply_to',
      ({ add }) => add.applyAsync([2, 3], { replyTo: 'my-reply', properties: { correlation_id: 'corr-1' } }),
    ],
    ['link', ({ add, mul }) => add.applyAsync([2, 3], { link: mul.s(10) })],
    [
      'link_list_error',
      ({ add, mul, cb, onErr }) => add.applyAsync([2, 3], { link: [mul.s(10), cb.si(1)], linkError: onErr.s() }),
    ],
    ['chain3', ({ add, mul }) => add.s(2, 3).pipe(mul.s(4)).pipe(add.s(5)).delay()],
    [
      'chain_link_error',
      ({ add, mul, cb, onErr }) => chain(add.s(2, 3), mul.s(4)).link(cb.s()).linkError(onErr.s()).delay(),
    ],
    [
      'serializer_json',
      (_, app) =>
        app.sendTask('wapp.noop', [1, 'é', null, 2.5, true, [1, { a: 'b' }]], {
          kwargs: { k: 'v' },
          serializer: 'json',
        }),
    ],
    ['compression_gzip', ({ noop }) => noop.applyAsync(['a'.repeat(200)], { compression: 'gzip' })],
  ]

  test.each(calls)('%s', async (name, send, queue = 'celery') => {
    const { app, advance, take } = await testApp()
    await send(tasks(app), app)
    // Those with an eta are held back until then.
    if (name === 'eta' || name === 'countdown') advance(later.getTime() - Date.now() + 1_000)
    const { headers, body, properties } = await take(queue)
    const golden = goldenMessage(name)
    expect(withoutOwn(headers)).toEqual(withoutOwn(golden.headers))
    expect(withoutIds([body.args, body.kwargs, body.embed])).toEqual(withoutIds(golden.body))
    expect(plainProperties(properties)).toEqual(plainProperties(golden.properties))
    expect(headers.lang).toBe('js')
    expect(headers.origin).toMatch(/^gen\d+@./)
    expect(headers.root_id).toBe(headers.id)
    if (name === 'reply_to') expect(properties).toMatchObject({ reply_to: 'my-reply', correlation_id: 'corr-1' })
    else expect(properties.correlation_id).toBe(headers.id)
  })
})

describe('a time', () => {
  test('an eta goes into the header, and the broker holds the message until then', async () => {
    const { app, broker } = await testApp()
    const { add } = tasks(app)
    await add.applyAsync([1, 2], { eta: new Date(Date.now() + 3_600_000) })
    await add.applyAsync([1, 2], { countdown: 3_600 })
    expect(await broker.declareQueue({ name: 'celery' })).toMatchObject({ ready: 0, delayed: 2 })
  })

  test('a countdown counts from the sending; one that is over holds nothing back', async () => {
    const { app, take } = await testApp()
    const before = Date.now()
    await tasks(app).add.applyAsync([1, 2], { countdown: -60 })
    const { headers } = await take()
    const eta = Date.parse(headers.eta as string)
    expect(eta).toBeGreaterThanOrEqual(before - 60_000)
    expect(eta).toBeLessThanOrEqual(Date.now() - 60_000)
  })

  test('an expiration goes into header and property', async () => {
    const { app, take } = await testApp()
    const before = Date.now()
    await tasks(app).add.applyAsync([1, 2], { expires: 120 })
    const { headers, properties } = await take()
    const expires = Date.parse(headers.expires as string)
    expect(expires).toBeGreaterThanOrEqual(before + 120_000)
    expect(expires).toBeLessThanOrEqual(Date.now() + 120_000)
    expect(properties.expiration).toBe('120000')
  })

  test('a task may expire by itself, and a call may say otherwise', async () => {
    const { app, take } = await testApp()
    const task = app.task('t', () => 0, { expires: 10 })
    await task.delay()
    expect((await take()).properties.expiration).toBe('10000')
    await task.applyAsync([], { expires: 20 })
    expect((await take()).properties.expiration).toBe('20000')
  })

  test.each([
    ['countdown', Number.NaN, 'a finite number of seconds, not NaN'],
    ['countdown', Number.POSITIVE_INFINITY, 'a finite number of seconds, not Infinity'],
    ['countdown', '10', "a finite number of seconds, not '10'"],
    ['expires', Number.NaN, 'a finite number of seconds, a Date or an ISO 8601 time, not NaN'],
    ['countdown', 1e12, 'a time of the years 1 to 9999, not 1000000000000'],
    ['expires', 1e12, 'a time of the years 1 to 9999, not 1000000000000'],
    ['eta', '0001-01-01T00:00:00+14:00', 'a time of the years 1 to 9999'],
    ['eta', 'tomorrow', "a Date or an ISO 8601 time, not 'tomorrow'"],
    ['expires', 'tomorrow', "a Date or an ISO 8601 time, not 'tomorrow'"],
    ['eta', 12, 'a Date or an ISO 8601 time, not 12'],
  ])('%s: %s is refused', async (option, value, expected) => {
    const { app, waiting } = await testApp()
    const sent = tasks(app).add.applyAsync([1, 2], { [option]: value })
    await expect(sent).rejects.toMatchObject({
      code: 'ERR_CELERY_TASK_OPTION',
      option,
      task: 'wapp.add',
      message: expect.stringContaining(expected),
    })
    expect(await waiting()).toBe(0)
  })
})

describe('TASK-009 TASK-047 time limits', () => {
  test('of the call go before those of its task', async () => {
    const { app, take } = await testApp()
    const limited = app.task('limited', () => null, { timeLimit: 60, softTimeLimit: 45 })
    const sent: unknown[] = []
    for (const options of [{}, { timeLimit: 50 }, { softTimeLimit: 5 }, { timeLimit: 0 }]) {
      await limited.applyAsync([], options)
      sent.push((await take()).headers.timelimit)
    }
    expect(sent).toEqual([
      [60, 45],
      [50, 45],
      [60, 5],
      [null, 45],
    ])
  })

  test.each<[string, TaskOptions, SendOptions]>([
    ['of a call', {}, { timeLimit: 5, softTimeLimit: 6 }],
    ['of a task', { softTimeLimit: 6 }, {}],
  ])('the soft one %s must not be above the hard one', async (_whose, ofTask, ofCall) => {
    const settings = { taskAnnotations: { hasty: { timeLimit: 5 } } }
    const { app, waiting } = await testApp({ settings })
    const hasty = app.task('hasty', () => null, ofTask)
    await expect(hasty.applyAsync([], ofCall)).rejects.toMatchObject({
      code: 'ERR_CELERY_TASK_OPTION',
      option: 'softTimeLimit',
      message: 'softTimeLimit of a call of hasty must be at most its timeLimit, which is 5, not 6',
    })
    expect(await waiting()).toBe(0)
  })

  test('of what is linked are taken as they are', async () => {
    const { app, runNext, take } = await testApp()
    const first = app.task('first', () => 1)
    const next = app.signature('next', [], { timeLimit: 5, softTimeLimit: 6 })
    await first.applyAsync([], { link: next })
    expect((await runNext()).state).toBe('SUCCESS')
    expect((await take()).headers.timelimit).toEqual([5, 6])
  })
})

describe('what every worker would refuse is refused where it is sent', () => {
  test.each<[option: string, value: unknown, problem: string]>([
    ['timeLimit', -1, 'must be seconds from 0 to 315360000, not -1'],
    ['timeLimit', Number.NaN, 'not NaN'],
    ['timeLimit', '60', "not '60'"],
    ['softTimeLimit', 315_360_001, 'not 315360001'],
    ['taskId', '', "must be 1 to 255 printable characters, not ''"],
    ['taskId', 'x'.repeat(256), 'must be 1 to 255 printable characters'],
    ['taskId', 'a\nb', 'must be 1 to 255 printable characters'],
    ['queue', '', 'must be 1 to 255 printable characters'],
    ['priority', 1.5, 'must be an integer from 0 to 255, not 1.5'],
    ['priority', 900, 'must be an integer from 0 to 255, not 900'],
    ['priority', -1, 'must be an integer from 0 to 255, not -1'],
    ['priority', '3', "must be an integer from 0 to 255, not '3'"],
    ['ignoreResult', 'no', "must be true or false, not 'no'"],
    ['retries', -1, 'must be an integer from 0 to 2147483647, not -1'],
    ['shadow', 5, 'must be text, not 5'],
    ['replyTo', 5, 'must be text, not 5'],
    ['headers', 'x', "must be an object, not 'x'"],
  ])('%s: %s', async (option, value, problem) => {
    const { app, waiting } = await testApp()
    const { add } = tasks(app)
    const refusal = { code: 'ERR_CELERY_TASK_OPTION', option, task: 'wapp.add' }
    await expect(add.applyAsync([1, 2], { [option]: value })).rejects.toMatchObject({
      ...refusal,
      message: expect.stringContaining(`${option} of a call of wapp.add `),
    })
    await expect(add.applyAsync([1, 2], { [option]: value })).rejects.toThrow(problem)
    await expect(
      add
        .s(1, 2)
        .set({ [option]: value })
        .delay(),
    ).rejects.toMatchObject(refusal)
    expect(await waiting()).toBe(0)
  })

  test.each(['', 'x'.repeat(256), 'a\u0000b'])('the name %j', async (name) => {
    const { app } = await testApp()
    const refusal = { code: 'ERR_CELERY_TASK_OPTION', option: 'taskName', task: name }
    await expect(app.sendTask(name)).rejects.toMatchObject(refusal)
    await expect(app.remote(name).delay()).rejects.toMatchObject(refusal)
  })

  test('a priority of the task or the settings that is none', async () => {
    const { app } = await testApp()
    const between = 'must be an integer from 0 to 255'
    expect(() => app.conf.update({ taskDefaultPriority: 0.5 })).toThrow(`taskDefaultPriority ${between}, not 0.5`)
    expect(() => app.conf.update({ taskQueueMaxPriority: 256 })).toThrow(`taskQueueMaxPriority ${between}, not 256`)
    expect(() => app.task('own', () => 0, { priority: 256 })).toThrow(`of the task "own" ${between}, not 256`)
    app.conf.taskRoutes = { t: { priority: 900 } }
    await expect(app.sendTask('t')).rejects.toThrow(`taskRoutes: the priority of the route of "t" ${between}, not 900`)
    app.conf.taskRoutes = () => ({ priority: -1 })
    await expect(app.sendTask('t')).rejects.toThrow(`taskRoutes: the priority of the route of "t" ${between}, not -1`)
  })

  test('a priority that is none in what follows, and where tasks are run eagerly or published by a receiver', async () => {
    const { app, waiting } = await testApp()
    const { add, cb } = tasks(app)
    const far = app.signature('far', [], { priority: 256 })
    const refusal = { code: 'ERR_CELERY_TASK_OPTION', option: 'body.embed.chain[0].options.priority' }
    await expect(chain(add.s(1, 2), cb.s().set({ priority: 256 })).delay()).rejects.toMatchObject(refusal)
    const near = app.signature('near', [], { linkError: far })
    await expect(add.applyAsync([1, 2], { link: near })).rejects.toThrow(
      'body.embed.callbacks[0].options.link_error[0].options.priority of a call of wapp.add must be an integer from 0 to 255',
    )
    await expect(add.apply([1, 2], { priority: 256 })).rejects.toMatchObject({ option: 'priority' })
    app.signals.beforeTaskPublish.connect(({ properties }) => {
      properties['priority'] = 256
    })
    await expect(add.delay(1, 2)).rejects.toMatchObject({ option: 'properties.priority' })
    expect(await waiting()).toBe(0)
  })

  test('a priority beyond all, in a callback that others have sent, is the highest one there is', async () => {
    const { app, take } = await testApp()
    const { add } = tasks(app)
    await add.delay(1, 2)
    const { input } = await take()
    const link = {
      task: 'linked',
      args: [],
      kwargs: {},
      options: { priority: 1e9 },
      subtask_type: null,
      immutable: true,
    }
    const body = JSON.stringify([[1, 2], {}, { callbacks: [link], errbacks: null, chain: null, chord: null }])
    const outcome = await app.tracer.run({ ...input, body }, undefined)
    expect(outcome.publish?.map(({ message }) => message.properties.priority)).toEqual([255])
  })

  test('a header or property of the caller that takes the place of ours', async () => {
    const { app, take } = await testApp()
    await expect(app.sendTask('t', [], { headers: { id: 5 } })).rejects.toMatchObject({
      code: 'ERR_CELERY_TASK_OPTION',
      option: 'headers.id',
      message: expect.stringContaining('expected 1 to 255 printable characters, found 5'),
    })
    await expect(app.sendTask('t', [], { properties: { correlation_id: 5 } })).rejects.toMatchObject({
      code: 'ERR_CELERY_TASK_OPTION',
      option: 'properties',
      message: expect.stringContaining('properties.correlation_id is not text'),
    })
    await app.sendTask('t', [], { headers: { trace: { id: 5 } }, properties: { own: 5, correlation_id: 'c' } })
    expect((await take()).headers).toMatchObject({ trace: { id: 5 } })
  })

  test('the options of what is linked, and of a later step', async () => {
    const { app, waiting } = await testApp()
    const { add, cb } = tasks(app)
    const later = app.signature('later', [], { timeLimit: -1 })
    await expect(add.applyAsync([1, 2], { link: later })).rejects.toMatchObject({
      code: 'ERR_CELERY_TASK_OPTION',
      option: 'body.embed.callbacks[0].options.time_limit',
      task: 'wapp.add',
    })
    await expect(chain(add.s(1, 2), cb.s().set({ priority: 0.5 })).delay()).rejects.toThrow(
      'options.priority: expected an integer, found 0.5',
    )
    expect(await waiting()).toBe(0)
  })

  test('arguments that are no list', async () => {
    const { app } = await testApp()
    await expect(app.sendTask('t', 'abc' as never)).rejects.toMatchObject({ option: 'args' })
    await expect(app.sendTask('t', [], { kwargs: [1] as never })).rejects.toMatchObject({ option: 'body.kwargs' })
  })

  test('a message that is too large: the sender hears, and its neighbours are sent', async () => {
    const { app, take, waiting } = await testApp()
    const [large, small] = await Promise.allSettled([
      app.sendTask('large', ['x'.repeat(16 * 1024 * 1024)]),
      app.sendTask('small'),
    ])
    expect(large).toMatchObject({
      status: 'rejected',
      reason: {
        code: 'ERR_CELERY_TASK_MESSAGE_TOO_LARGE',
        task: 'large',
        limitBytes: 16_777_216,
        message: expect.stringContaining('send a reference to it'),
      },
    })
    expect(small.status).toBe('fulfilled')
    await expect(app.sendTask('large', [], { headers: { all: 'x'.repeat(16 * 1024 * 1024) } })).rejects.toMatchObject({
      code: 'ERR_CELERY_TASK_MESSAGE_TOO_LARGE',
    })
    await app.sendTask('fits', ['x'.repeat(15 * 1024 * 1024)])
    expect([(await take()).headers.task, (await take()).headers.task]).toEqual(['small', 'fits'])
    expect(await waiting()).toBe(0)
  })
})

describe('where a task goes', () => {
  test('its own queue and priority, unless the call says otherwise', async () => {
    const { app, waiting, take } = await testApp()
    const task = app.task('t', () => 0, { queue: 'own', priority: 3 })
    await task.delay()
    await task.applyAsync([], { queue: 'other', priority: 0 })
    expect([await waiting('own'), await waiting('other'), await waiting()]).toEqual([1, 1, 0])
    expect((await take('own')).properties.priority).toBe(3)
    expect((await take('other')).properties.priority).toBe(0)
  })

  test('an exchange of the call wins over the queue of the task', async () => {
    const { app, broker, waiting } = await testApp()
    await broker.declareExchange({ name: 'x', type: 'direct' })
    await broker.bindQueue({ queue: 'bound', exchange: 'x', routingKey: 'k' })
    const task = app.task('t', () => 0, { queue: 'own' })
    await task.applyAsync([], { exchange: 'x', routingKey: 'k' })
    expect([await waiting('own'), await waiting('bound')]).toEqual([0, 1])
  })

  test('a task that no queue takes is refused, not lost', async () => {
    const { app, broker } = await testApp()
    await broker.declareExchange({ name: 'x', type: 'direct' })
    const sent = tasks(app).add.applyAsync([1, 2], { exchange: 'x', routingKey: 'nobody' })
    await expect(sent).rejects.toMatchObject({ code: 'ERR_CELERY_UNROUTABLE' })
  })

  test('routes by glob, with a priority', async () => {
    const { app, take } = await testApp({ settings: { taskRoutes: { 'video.*': { queue: 'video', priority: 9 } } } })
    await app.sendTask('video.encode')
    expect((await take('video')).properties.priority).toBe(9)
  })
})

describe('how a task is encoded', () => {
  test('compressed where the settings say so', async () => {
    const { app, take } = await testApp({ settings: { taskCompression: 'zlib' } })
    await tasks(app).noop.delay('a'.repeat(1_000))
    const { headers, input, body } = await take()
    expect(headers.compression).toBe('application/x-gzip')
    expect((input.body as Uint8Array).length).toBeLessThan(200)
    expect(body.args).toEqual(['a'.repeat(1_000)])
  })

  test('by an unknown serializer: refused', async () => {
    const { app, waiting } = await testApp()
    await expect(tasks(app).add.applyAsync([1, 2], { serializer: 'nope' })).rejects.toThrow('nope')
    expect(await waiting()).toBe(0)
  })

  test('arguments that are no data are refused before anything is sent', async () => {
    const { app, waiting } = await testApp()
    const { noop } = tasks(app)
    await expect(noop.delay(() => 0)).rejects.toMatchObject({ code: 'ERR_CELERY_ENCODE' })
    await expect(noop.delay(Symbol('x'))).rejects.toMatchObject({ code: 'ERR_CELERY_ENCODE' })
    expect(await waiting()).toBe(0)
  })

  test('whole numbers of any size arrive', async () => {
    const { app, take } = await testApp()
    await tasks(app).noop.delay(2n ** 70n, 2 ** 40)
    expect((await take()).body.args).toEqual([2n ** 70n, 2 ** 40])
  })
})

describe('an id', () => {
  test('is fresh for every call, and that of the handle', async () => {
    const { app, take } = await testApp()
    const { add } = tasks(app)
    const [a, b] = [await add.delay(1, 2), await add.delay(1, 2)]
    expect(a.id).not.toBe(b.id)
    expect([(await take()).headers.id, (await take()).headers.id]).toEqual([a.id, b.id])
    expect(a.id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })

  test('may be given', async () => {
    const { app, take } = await testApp()
    const result = await tasks(app).add.applyAsync([1, 2], { taskId: 'mine' })
    const { headers, properties } = await take()
    expect([result.id, headers.id, properties.correlation_id]).toEqual(['mine', 'mine', 'mine'])
  })

  test('of a chain is that of its last step; each step is the parent of the next handle', async () => {
    const { app, take } = await testApp()
    const { add, mul } = tasks(app)
    const result = await chain(add.s(2, 3), mul.s(4), add.s(5)).delay()
    const { headers, body } = await take()
    expect(result.parent?.parent?.id).toBe(headers.id)
    expect(body.embed.chain?.map(({ options }) => options.task_id)).toEqual([result.id, result.parent?.id])
  })
})

test('messages sent in one turn travel together', async () => {
  const { app, waiting } = await testApp()
  const { add } = tasks(app)
  const results = await Promise.all(Array.from({ length: 100 }, (_, index) => add.delay(index, 1)))
  expect(new Set(results.map(({ id }) => id)).size).toBe(100)
  expect(await waiting()).toBe(100)
})

test('a signature by name is sent from the app that made it', async () => {
  const { app, take } = await testApp()
  await app.signature('elsewhere.add', [1], { queue: 'elsewhere' }).applyAsync([0])
  const { headers, body }: Sent = await take('elsewhere')
  expect([headers.task, body.args]).toEqual(['elsewhere.add', [0, 1]])
})
