import { Connection, Exchange, MessageProducer, Producer, Queue } from '@celery/messaging'
import { ConnectionLostError } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CeleryApp, OperationalError, type SettingsInput, TaskBase } from '../src/index.ts'
import { testApp } from './test-app.ts'

async function setUp(settings: SettingsInput = {}) {
  const made = await testApp({ settings })
  return { ...made, add: made.app.task('add', (x: number, y: number) => x + y, { params: ['x', 'y'] }) }
}

describe('CALL-013, TASK-013 how a message is encoded says', () => {
  const big = 'a'.repeat(1_000)

  test('the call, then the task, then its route, then the settings', async () => {
    const { app, take } = await setUp({
      taskSerializer: 'yaml',
      taskCompression: 'zlib',
      taskRoutes: { routed: { serializer: 'msgpack', compression: 'brotli' } },
      acceptContent: ['json', 'yaml', 'msgpack'],
    })
    const own = app.task('own', (_text: string) => 0, { serializer: 'json', compression: 'bzip2' })
    await app.sendTask('plain', [big])
    await app.sendTask('routed', [big])
    await own.delay(big)
    await own.applyAsync([big], { serializer: 'msgpack', compression: 'gzip' })
    const sent = [await take(), await take(), await take(), await take()]
    expect(sent.map(({ input, headers }) => [input.contentType, headers.compression])).toEqual([
      ['application/x-yaml', 'application/x-gzip'],
      ['application/x-msgpack', 'application/x-brotli'],
      ['application/json', 'application/x-bz2'],
      ['application/x-msgpack', 'application/x-gzip'],
    ])
    expect(sent.map(({ body }) => body.args)).toEqual([[big], [big], [big], [big]])
  })

  test('one that has to be loaded first for what follows from a task', async () => {
    const { add, runNext, take } = await setUp()
    await add
      .s(1, 2)
      .pipe(add.s(3).set({ serializer: 'yaml', compression: 'bzip2' }))
      .delay()
    expect((await runNext()).state).toBe('SUCCESS')
    const { body, headers, input } = await take()
    expect([input.contentType, headers.compression, body.args]).toEqual([
      'application/x-yaml',
      'application/x-bz2',
      [3, 3],
    ])
  })

  test('a format that nobody knows is refused', async () => {
    const { add, waiting } = await setUp()
    await expect(add.applyAsync([1, 2], { compression: 'zip' })).rejects.toMatchObject({
      code: 'ERR_CELERY_UNKNOWN_COMPRESSION',
    })
    await expect(add.applyAsync([1, 2], { compression: 5 as never })).rejects.toThrow(
      'compression of a call of add must be text',
    )
    expect(await waiting()).toBe(0)
  })
})

describe('where a call goes', () => {
  test('CALL-014 to a queue that is given as one, by its exchange, which is made', async () => {
    const { add, take } = await setUp()
    const news = new Queue('news', { exchange: new Exchange('topics', { type: 'topic' }), routingKey: 'news.#' })
    await add.applyAsync([1, 2], { queue: news, routingKey: 'news.sport' })
    await add.applyAsync([3, 4], { queue: news, routingKey: 'news.weather' })
    expect((await take('news')).body.args).toEqual([1, 2])
    expect((await take('news')).body.args).toEqual([3, 4])
    await expect(add.applyAsync([1, 2], { queue: news, routingKey: 'olds' })).rejects.toMatchObject({
      code: 'ERR_CELERY_UNROUTABLE',
    })
  })

  test('CALL-015 through an exchange, which is made as one of that type', async () => {
    const { add, broker, take } = await setUp()
    const bound = new Queue('bound', { exchange: new Exchange('all', { type: 'fanout' }) })
    await bound.declare(broker)
    await add.applyAsync([1, 2], { exchange: 'all', exchangeType: 'fanout' })
    expect((await take('bound')).body.args).toEqual([1, 2])
    await expect(add.applyAsync([1, 2], { exchange: 'all', exchangeType: 'direct' })).rejects.toMatchObject({
      code: 'ERR_CELERY_EXCHANGE_MISMATCH',
    })
    await expect(add.applyAsync([1, 2], { exchange: 'all', exchangeType: 'any' as never })).rejects.toThrow(
      'must be direct, topic',
    )
  })

  test('CALL-028 after what it needs was declared', async () => {
    const { add, take } = await setUp()
    const queue = new Queue('declared', { exchange: new Exchange('own', { type: 'direct' }), routingKey: 'k' })
    await add.applyAsync([1, 2], { exchange: 'own', routingKey: 'k', declare: [queue] })
    expect((await take('declared')).body.args).toEqual([1, 2])
  })

  test('TASK-024 as the attributes of its task say', async () => {
    const { app, broker, take, waiting } = await setUp()
    const queue = new Queue('by-task', { exchange: new Exchange('x', { type: 'topic' }), routingKey: 'task.*' })
    await queue.declare(broker)
    const task = app.task('t', () => 0, { exchange: 'x', routingKey: 'task.1', deliveryMode: 1, priority: 4 })
    await task.delay()
    expect((await take('by-task')).properties).toMatchObject({ delivery_mode: 1, priority: 4 })
    // A nearer address replaces the whole of it.
    await task.applyAsync([], { queue: 'elsewhere' })
    expect(await waiting('elsewhere')).toBe(1)
    const dropped = app.task('dropped', () => 0, { exchange: 'x', routingKey: 'nobody', mandatory: false })
    await expect(dropped.delay()).resolves.toMatchObject({})
    await expect(dropped.applyAsync([], { mandatory: true })).rejects.toMatchObject({ code: 'ERR_CELERY_UNROUTABLE' })
  })

  test('CALL-026 by the route of another name', async () => {
    const { add, waiting } = await setUp({ taskRoutes: { 'video.*': 'video' } })
    await add.applyAsync([1, 2], { routeName: 'video.cut' })
    expect(await waiting('video')).toBe(1)
  })

  test('CALL-037 as a router of a module says, which is imported before the first call or when a worker starts', async () => {
    const source = "export const own = (name) => (name === 'add' ? 'from-module' : null)"
    const taskRoutes = `data:text/javascript,${encodeURIComponent(source)}:own`
    const { add, app, waiting } = await setUp({ taskRoutes })
    await Promise.all([add.delay(1, 2), add.delay(3, 4), app.sendTask('other')])
    expect([await waiting('from-module'), await waiting()]).toEqual([2, 1])
    const missing = await setUp({ taskRoutes: './no-such-routes.ts' })
    await expect(missing.app.loadModules()).rejects.toMatchObject({ code: 'ERR_CELERY_MODULE_NOT_FOUND' })
    await expect(missing.add.delay(1, 2)).rejects.toMatchObject({ code: 'ERR_CELERY_MODULE_NOT_FOUND' })
  })

  test('CALL-035 as a router says that sees the arguments', async () => {
    const { add, app, waiting } = await setUp()
    app.conf.taskRoutes = (name, [x], kwargs, options, task) =>
      name === 'add' && task?.name === 'add' && options.queue === undefined
        ? `shard-${Number(x) % 2}${kwargs.y ?? ''}`
        : null
    await add.delay(4, 1)
    await add.applyAsync([5], { kwargs: { y: 6 } })
    expect([await waiting('shard-0'), await waiting('shard-16')]).toEqual([1, 1])
  })

  test('CONF-121 never to a queue that is not there, where none are made; also in a chain', async () => {
    const { add, runNext, waiting } = await setUp({ taskQueues: ['celery', 'video'], taskCreateMissingQueues: false })
    await expect(add.applyAsync([1, 2], { queue: 'vidoe' })).rejects.toMatchObject({
      code: 'ERR_CELERY_QUEUE_NOT_FOUND',
      message: expect.stringContaining('did you mean "video"?'),
    })
    await add
      .s(1, 2)
      .pipe(add.s(3).set({ queue: 'vidoe' }))
      .delay()
    expect(await runNext()).toMatchObject({ state: 'FAILURE', text: expect.stringContaining('vidoe') })
    expect(await waiting()).toBe(0)
  })
})

describe('CALL-016 a priority', () => {
  test('TASK-023 is of the call, its task, its route, or the settings', async () => {
    const { app, take } = await setUp({ taskRoutes: { 'r.*': { priority: 3 } }, taskDefaultPriority: 2 })
    await app.task('t', () => 0, { priority: 4 }).applyAsync([], { priority: 0 })
    await app.task('r.t', () => 0, { priority: 4 }).delay()
    await app.sendTask('r.other')
    await app.sendTask('other')
    const sent = [await take(), await take(), await take(), await take()]
    expect(sent.map(({ properties }) => properties['priority']).toSorted()).toEqual([0, 2, 3, 4])
  })

  test.each([true, false])('CONF-119 is that of the parent with taskInheritParentPriority: %s', async (inherits) => {
    const { app, add, take } = await setUp({ taskInheritParentPriority: inherits })
    const parent = app.task('parent', async () => void (await add.delay(1, 2)))
    await parent.applyAsync([], { priority: 7, link: add.si(3, 4) })
    const { delivery, input } = await take()
    const outcome = await app.tracer.run({ ...input, priority: 7 }, undefined)
    await (await app.connectionForWrite().broker()).publish(outcome.publish ?? [])
    expect(delivery.queue).toBe('celery')
    const priorities = [(await take()).properties['priority'], (await take()).properties['priority']]
    expect(priorities).toEqual(inherits ? [7, 7] : [0, 0])
  })
})

describe('what a message says', () => {
  test('CALL-017, CONF-129 whether it survives a restart of the broker', async () => {
    const { add, app, take } = await setUp({ taskDefaultDeliveryMode: 'transient' })
    await add.delay(1, 2)
    await add.applyAsync([1, 2], { deliveryMode: 2 })
    expect([(await take()).properties['delivery_mode'], (await take()).properties['delivery_mode']]).toEqual([1, 2])
    app.conf.taskDefaultDeliveryMode = 2
    const exchange = new Exchange('t', { type: 'topic', deliveryMode: 'transient' })
    await add.applyAsync([1, 2], { queue: new Queue('tq', { exchange, routingKey: 'k' }) })
    expect((await take('tq')).properties['delivery_mode']).toBe(1)
  })

  test('CALL-018, TASK-010 whether its result is kept: the call, then the task, then the settings', async () => {
    const { app, take } = await setUp({ taskIgnoreResult: true })
    const kept = app.task('kept', () => 0, { ignoreResult: false })
    await app.sendTask('other')
    await kept.delay()
    const result = await kept.applyAsync([], { ignoreResult: true })
    const flags = [await take(), await take(), await take()].map(({ headers }) => headers.ignore_result)
    expect(flags).toEqual([true, false, true])
    expect(result.ignored).toBe(true)
  })

  test('CALL-020, CALL-021, CALL-022, TASK-118 headers, names and texts of the caller', async () => {
    const { add, take } = await setUp()
    await add.applyAsync([1, 2], { headers: { trace: 'x' }, shadow: 'sum', argsrepr: '(…)', kwargsrepr: '{…}' })
    expect((await take()).headers).toMatchObject({ trace: 'x', shadow: 'sum', argsrepr: '(…)', kwargsrepr: '{…}' })
  })

  test('CALL-025 its place in a group and a workflow', async () => {
    const { add, take } = await setUp()
    const place = { rootId: 'r', parentId: 'p', groupId: 'g', groupIndex: 3, retries: 2, replacedTaskNesting: 1 }
    await add.applyAsync([1, 2], { ...place, replyTo: 'back' })
    const { headers, properties } = await take()
    expect(headers).toMatchObject({
      root_id: 'r',
      parent_id: 'p',
      group: 'g',
      group_index: 3,
      retries: 2,
      replaced_task_nesting: 1,
    })
    expect(properties['reply_to']).toBe('back')
  })

  test('CALL-027 properties: when the broker may drop it, what it answers, and any other', async () => {
    const { add, take } = await setUp()
    await add.applyAsync([1, 2], { expiration: 1.5, correlationId: 'c', properties: { app_id: 'own' } })
    expect((await take()).properties).toMatchObject({ expiration: '1500', correlation_id: 'c', app_id: 'own' })
    await expect(add.applyAsync([1, 2], { expiration: -1 })).rejects.toThrow(
      'expiration of a call of add must be seconds',
    )
  })

  test('TASK-026 a name that the task makes of its arguments; the call has the last word', async () => {
    const { app, take } = await setUp()
    class Named extends TaskBase {
      readonly prefix = 'mail'
      override shadowName(args: readonly unknown[], kwargs: Readonly<Record<string, unknown>>) {
        return `${this.prefix}-${args[0]}-${kwargs['copy'] ?? 'none'}`
      }
    }
    const mail = app.task('send', (_to: string, _copy?: string) => 0, { base: Named, params: ['to', 'copy?'] })
    await mail.applyAsync(['me'], { kwargs: { copy: 'you' } })
    await mail.applyAsync(['me'], { shadow: 'own' })
    const own = app.task('own', (_x: number) => 0, { shadowName: ([x]) => (x === 1 ? 'one' : undefined) })
    await own.delay(1)
    await own.delay(2)
    const shadows = [await take(), await take(), await take(), await take()].map(({ headers }) => headers.shadow)
    expect(shadows).toEqual(['mail-me-you', 'own', 'one', null])
  })

  test('CONF-009 all in the body by protocol 1', async () => {
    const { add, app, broker } = await setUp({ taskProtocol: 1 })
    const { id } = await add.applyAsync([1, 2], { headers: { trace: 'x' } })
    const [delivery] = await broker.fetch(['celery'], { max: 1, signal: AbortSignal.timeout(5_000) })
    const envelope = JSON.parse(String(delivery?.payload))
    expect(envelope.headers).toEqual({ trace: 'x' })
    const body = JSON.parse(Buffer.from(envelope.body, envelope.properties.body_encoding ?? 'utf8').toString())
    expect(body).toMatchObject({ task: 'add', id, args: [1, 2], kwargs: {}, utc: true })
    await expect(app.sendTask('t', [() => 0])).rejects.toThrow('argument 1 of a call of t')
  })
})

describe('what a task sends', () => {
  test('CALL-030, CALL-024 is its child, of the same root, unless it says otherwise', async () => {
    const { add, app, runNext, take } = await setUp()
    const parent = app.task('parent', async () => {
      await add.delay(1, 2)
      await add.applyAsync([3, 4], { addToParent: false, rootId: 'other' })
    })
    const { id } = await parent.applyAsync([], { rootId: 'root' })
    const outcome = await runNext()
    const [first, second] = [await take(), await take()]
    expect(first.headers).toMatchObject({ root_id: 'root', parent_id: id })
    expect(second.headers).toMatchObject({ root_id: 'other', parent_id: id })
    expect(second.properties).not.toHaveProperty('add_to_parent')
    expect(outcome.write).toBeDefined()
    const children = await app.asyncResult(id).children()
    expect(children.map((child) => child.id)).toEqual([first.headers.id])
  })
})

describe('sending', () => {
  /** An app whose broker loses the connection so many times. */
  function unreliable(failures: number, settings: SettingsInput = {}) {
    const memory = memoryTransport()
    const app = new CeleryApp('unreliable', { broker: 'lossy://', backend: 'memory://', settings })
    const tries: number[] = []
    app.transports.register('lossy', async () => ({
      ...memory,
      open: async (address, options) => {
        const broker = await memory.open(address, options)
        return new Proxy(broker, {
          get(target, name) {
            if (name !== 'publish') {
              const member: unknown = Reflect.get(target, name, target)
              return typeof member === 'function' ? member.bind(target) : member
            }
            return async (...args: Parameters<typeof broker.publish>) => {
              tries.push(performance.now())
              if (tries.length <= failures) throw new ConnectionLostError('lossy://')
              await target.publish(...args)
            }
          },
        })
      },
    }))
    onTestFinished(() => app.close())
    return { app, tries }
  }
  const atOnce = { maxRetries: 3, intervalStart: 0, intervalStep: 0, intervalMax: 0 }

  test('CALL-010, CALL-011, CONF-011, CONF-012 is tried again as the settings say', async () => {
    const { app, tries } = unreliable(3, { taskPublishRetryPolicy: atOnce })
    await app.sendTask('t')
    expect(tries).toHaveLength(4)
  })

  test.each<[string, SettingsInput, number]>([
    ['max_retries', { brokerTransportOptions: { max_retries: 1, interval_start: 0 } }, 2],
    ['maxRetries', { brokerTransportOptions: { maxRetries: 5, intervalStep: 0, intervalMax: 0 } }, 6],
    ['the policy, where that is set', { brokerTransportOptions: { maxRetries: 1 }, taskPublishRetryPolicy: atOnce }, 4],
  ])('TRAN-021 is tried again as the options of the transport say: %s', async (_what, settings, expected) => {
    const { app, tries } = unreliable(9, settings)
    await expect(app.sendTask('t')).rejects.toBeInstanceOf(OperationalError)
    expect(tries).toHaveLength(expected)
  })

  test('TRAN-021 what a call leaves out of its policy is as the options of the transport say', async () => {
    const { app, tries } = unreliable(9, { brokerTransportOptions: { max_retries: 1 } })
    await expect(app.sendTask('t', [], { retryPolicy: { intervalStart: 0 } })).rejects.toBeInstanceOf(OperationalError)
    expect(tries).toHaveLength(2)
  })

  test('CALL-012 fails with an OperationalError when that did not help', async () => {
    const { app, tries } = unreliable(9, { taskPublishRetryPolicy: atOnce })
    const error = await app.sendTask('t').catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(OperationalError)
    expect(error).toMatchObject({
      code: 'ERR_CELERY_OPERATIONAL',
      task: 't',
      cause: { code: 'ERR_CELERY_CONNECTION_LOST' },
    })
    expect(String(error)).toContain('the call of t was not sent: connection to lossy:// was lost')
    expect(tries).toHaveLength(4)
  })

  test('CALL-010 is tried once with retry: false, whatever the settings say, and the other way round', async () => {
    const once = unreliable(1, { taskPublishRetryPolicy: atOnce })
    await expect(once.app.sendTask('t', [], { retry: false })).rejects.toBeInstanceOf(OperationalError)
    expect(once.tries).toHaveLength(1)
    const again = unreliable(1, { taskPublishRetry: false, taskPublishRetryPolicy: atOnce })
    await expect(again.app.sendTask('t')).rejects.toBeInstanceOf(OperationalError)
    const more = unreliable(1, { taskPublishRetry: false, taskPublishRetryPolicy: atOnce })
    await more.app.sendTask('t', [], { retry: true })
    expect(more.tries).toHaveLength(2)
  })

  test('CALL-011 is tried as often as the call says, and what it leaves out is as in the settings', async () => {
    const { app, tries } = unreliable(9, { taskPublishRetryPolicy: atOnce })
    await expect(app.sendTask('t', [], { retryPolicy: { maxRetries: 1 } })).rejects.toBeInstanceOf(OperationalError)
    expect(tries).toHaveLength(2)
    const bad = app.sendTask('t', [], { retryPolicy: { maxRetries: -1 } })
    await expect(bad).rejects.toThrow('retryPolicy of a call of t must be an object of maxRetries')
  })

  test('CALL-011 retryErrors names other errors that pass', async () => {
    const { add, broker, take } = await setUp()
    let tries = 0
    const undeclared = (error: unknown): boolean => {
      if ((error as { code?: string }).code !== 'ERR_CELERY_UNKNOWN_EXCHANGE') return false
      tries += 1
      // Somebody makes it at last.
      if (tries === 3) void new Queue('late', { exchange: new Exchange('late-x'), routingKey: 'k' }).declare(broker)
      return true
    }
    const to = { exchange: 'late-x', routingKey: 'k' }
    await expect(add.applyAsync([1, 2], to)).rejects.toMatchObject({ code: 'ERR_CELERY_UNKNOWN_EXCHANGE' })
    const policy = { maxRetries: null, intervalStart: 0.001, intervalStep: 0 }
    await add.applyAsync([1, 2], { ...to, retryPolicy: { ...policy, retryErrors: [RangeError, undeclared] } })
    expect(tries).toBeGreaterThanOrEqual(3)
    expect((await take('late')).body.args).toEqual([1, 2])
  })

  test('CALL-027 P-5 is given up after the timeout of the call', async () => {
    const { app } = unreliable(1_000_000, {
      taskPublishRetryPolicy: { ...atOnce, maxRetries: null, intervalStep: 0.01, intervalMax: 0.01 },
    })
    await expect(app.sendTask('t', [], { timeout: 0.05 })).rejects.toMatchObject({
      code: 'ERR_CELERY_PUBLISH_TIMEOUT',
      timeoutMs: 50,
    })
    await expect(app.sendTask('t', [], { confirmTimeout: 0.06, timeout: 60 })).rejects.toMatchObject({ timeoutMs: 60 })
    await expect(app.sendTask('t', [], { timeout: -1 })).rejects.toThrow(
      'timeout of a call of t must be seconds from 0',
    )
  })

  test('CALL-023 goes over a connection or a producer of the caller', async () => {
    const { add, app } = await setUp()
    const other = memoryTransport()
    const { TransportRegistry } = await import('@celery/messaging')
    const transports = new TransportRegistry().register('other', async () => ({ ...other }))
    const connection = new Connection({ urls: ['other://'], transports })
    onTestFinished(() => connection.close())
    await add.applyAsync([1, 2], { connection })
    await app.sendTask('t', [], { connection })
    await add.applyAsync([3, 4], { producer: new Producer({ connection }) })
    const values = new MessageProducer({ connection })
    for (const bad of [{ producer: values }, { connection: 'other://' }, { connection: values }]) {
      const sent = add.applyAsync([5, 6], bad as never)
      await expect(sent).rejects.toMatchObject({ code: 'ERR_CELERY_TASK_OPTION', option: Object.keys(bad)[0] })
    }
    expect(await new Queue('celery').info(connection)).toMatchObject({ ready: 3 })
  })

  test('APP-027 by name has the options of the task, where that is declared here', async () => {
    const { app, take } = await setUp()
    app.task('t', () => 0, { queue: 'own', priority: 3, expires: 10, ignoreResult: true })
    const result = await app.sendTask('t', [1, 2, 'unchecked'])
    const { headers, properties } = await take('own')
    expect([properties['priority'], properties['expiration'], headers.ignore_result]).toEqual([3, '10000', true])
    expect(result.ignored).toBe(true)
  })
})

describe('CALL-031 get() with onMessage', () => {
  test('tells every state that is found on the way, once', async () => {
    const { app, runNext } = await setUp()
    const steps = app.task(
      'steps',
      async (context) => {
        await context.updateState('PROGRESS', { step: 1 })
        return 'done'
      },
      { bind: true },
    )
    const result = await steps.delay()
    const told: unknown[] = []
    const value = result.get({ timeout: 20, onMessage: ({ state, result: info }) => void told.push([state, info]) })
    await runNext()
    expect(await value).toBe('done')
    expect(told.at(-1)).toEqual(['SUCCESS', 'done'])
    expect(new Set(told.map((each) => JSON.stringify(each))).size).toBe(told.length)
  })
})

test('get() that gives up says which call it was, and where it waits', async () => {
  const { add, app } = await setUp()
  const result = await add.applyAsync([1, 2], { queue: 'slow' })
  await expect(result.get({ timeout: 0 })).rejects.toThrow(
    `no result of add[${result.id}] after 0 s: its state is PENDING, nothing was heard of it; is a worker running and consuming the queue "slow"`,
  )
  await expect(app.asyncResult('unknown').get({ timeout: 0 })).rejects.toThrow('no result of task unknown after 0 s')
})

test('TASK-004 a task with typing: false is sent with any arguments, and checked where it runs', async () => {
  const { app, runNext } = await setUp()
  const loose = app.task('loose', (x: number) => x, { typing: false })
  await loose.applyAsync([1, 2, 3] as never)
  expect(await runNext()).toMatchObject({
    state: 'FAILURE',
    text: expect.stringContaining('takes at most 1 positional'),
  })
  // Also where nobody is told how many are enough.
  const strict = app.task('strict', (x: number) => x)
  await expect(strict.applyAsync([1, 2, 3] as never)).rejects.toThrow(
    'strict() takes at most 1 positional argument but 3 were given',
  )
  await expect(strict.s(...([1, 2] as never as [number])).delay()).rejects.toThrow('but 2 were given')
})

describe('an argument that cannot be written is named', () => {
  test.each<[args: unknown[], kwargs: Record<string, unknown>, place: string]>([
    [[1, () => 0], {}, "argument 2 ('y') of a call of add"],
    [[{ deep: [1, { x: Symbol('s') }] }], { y: 1 }, "argument 1 ('x') at .deep[1].x of a call of add"],
    [[1], { y: { z: () => 0 } }, "the argument 'y' at .z of a call of add"],
  ])('%j %j', async (args, kwargs, place) => {
    const { add } = await setUp()
    const sent = add.applyAsync(args as [number, number], { kwargs: kwargs as never })
    await expect(sent).rejects.toMatchObject({ code: 'ERR_CELERY_ENCODE', path: place })
  })

  test('also one that is in what is linked, or that contains itself', async () => {
    const { add, app } = await setUp()
    const link = app.signature('cb', [() => 0])
    await expect(add.applyAsync([1, 2], { link })).rejects.toThrow('the callbacks[0].args[0] of a call of add')
    const loop: unknown[] = []
    loop.push(loop)
    await expect(app.sendTask('t', [loop])).rejects.toThrow('argument 1 at [0]')
  })
})
