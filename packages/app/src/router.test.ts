import { Broadcast, Exchange, Queue } from '@celery/messaging'
import { describe, expect, test } from 'vitest'
import { type Destination, Router } from './router.ts'
import { defaultSettings, type Settings } from './settings.ts'
import { TaskQueues } from './task-queues.ts'
import type { RouteQuery, TaskRoute } from './task-routes.ts'

function router(changes: Partial<Settings> = {}, settings: Settings = { ...defaultSettings, ...changes }) {
  const made = new Router(settings, new TaskQueues(settings))
  const route = (name: string, options: TaskRoute = {}, query: Partial<RouteQuery> = {}): Destination =>
    made.route({ name, args: [], kwargs: {}, options, task: undefined, ...query })
  return { made, settings, route, queueOf: (name: string) => route(name).routingKey }
}

describe('a message goes', () => {
  test('CALL-029 to the default queue where nothing else is said, through the default exchange', () => {
    expect(router().route('a')).toEqual({
      exchange: '',
      routingKey: 'celery',
      declare: [],
      route: {},
      isTransient: false,
    })
    expect(router({ taskDefaultQueue: 'other' }).queueOf('a')).toBe('other')
  })

  test('CALL-036 to the queue of the route of its name, else of the first pattern that matches', () => {
    const taskRoutes = { 'video.*': 'video', 'video.encode': 'gpu', '*': { queue: 'rest', priority: 2 } }
    const { queueOf, route } = router({ taskRoutes })
    expect(['video.encode', 'video.encode.fast', 'video.cut', 'audio'].map(queueOf)).toEqual([
      'gpu',
      'video',
      'video',
      'rest',
    ])
    expect(route('audio').route).toEqual({ queue: 'rest', priority: 2 })
  })

  test('CALL-036 where an expression says, which is tried once for each name', () => {
    let tries = 0
    class Counted extends RegExp {
      override get source(): string {
        tries++
        return super.source
      }
    }
    const { queueOf } = router({ taskRoutes: [[new Counted('video'), 'video']] })
    expect(['video.cut', 'audio'].map(queueOf)).toEqual(['video', 'celery'])
    const before = tries
    expect(['video.cut', 'audio'].map(queueOf)).toEqual(['video', 'celery'])
    expect(tries).toBe(before)
    for (let n = 0; n < 1_001; n++) queueOf(`audio.${n}`)
    expect(queueOf('video.cut')).toBe('video')
  })

  test('to the default queue where no route matches, and names like those of objects match none', () => {
    const { queueOf } = router({ taskRoutes: { 'video.*': 'video' } })
    for (const task of ['audio', 'video', 'constructor', '__proto__']) expect(queueOf(task)).toBe('celery')
  })

  test('CALL-035 where the call says, whatever the routes say; what the call leaves open, the route says', () => {
    const { route } = router({ taskRoutes: { '*': { queue: 'routed', priority: 1, compression: 'zlib' } } })
    expect(route('a', { queue: 'mine' })).toMatchObject({
      routingKey: 'mine',
      route: { priority: 1, compression: 'zlib' },
    })
    expect(route('a', { priority: 9 })).toMatchObject({ routingKey: 'routed', route: { priority: 9 } })
    expect(route('a', { exchange: 'x', routingKey: 'k' })).toMatchObject({ exchange: 'x', routingKey: 'k' })
  })

  test('CALL-035 to a queue of the settings by its exchange and key, which the call may change', () => {
    const feeds = new Queue('feeds', { exchange: new Exchange('news', { type: 'topic' }), routingKey: 'feed.#' })
    const { route } = router({ taskQueues: [feeds, 'celery'], taskRoutes: { 'feed.*': 'feeds' } })
    expect(route('feed.read')).toMatchObject({ exchange: 'news', routingKey: 'feed.#', declare: [feeds] })
    expect(route('feed.read', { routingKey: 'feed.sport' })).toMatchObject({
      exchange: 'news',
      routingKey: 'feed.sport',
    })
    // A direct one has no need of it.
    expect(route('other', { routingKey: 'k' })).toMatchObject({ exchange: '', routingKey: 'celery' })
  })

  test('CALL-015 through an exchange by a key, or by that of the queue', () => {
    const { route } = router()
    expect(route('a', { exchange: 'x', routingKey: 'k' })).toMatchObject({
      exchange: 'x',
      routingKey: 'k',
      declare: [],
    })
    expect(route('a', { exchange: 'x', queue: 'q' })).toMatchObject({ exchange: 'x', routingKey: 'q' })
    const { declare } = route('a', { exchange: 'x', exchangeType: 'fanout' })
    expect(declare).toEqual([new Exchange('x', { type: 'fanout' })])
    // What is declared is told by what it is, and not for every message.
    expect(route('b', { exchange: 'x', exchangeType: 'fanout' }).declare[0]).toBe(declare[0])
    expect(route('b', { exchange: 'x', exchangeType: 'topic' }).declare[0]).not.toBe(declare[0])
    expect(route('a', { exchange: '', routingKey: 'q' })).toMatchObject({ exchange: '', routingKey: 'q', declare: [] })
    expect(router({ taskRoutes: { a: { exchange: 'x', routingKey: 'k' } } }).route('a').exchange).toBe('x')
  })

  test('CALL-014 to a queue that is given as one', () => {
    const queue = new Queue('q', { exchange: new Exchange('t', { type: 'topic' }), routingKey: 'k' })
    expect(router().route('a', { queue })).toMatchObject({ exchange: 't', routingKey: 'k', declare: [queue] })
  })

  test('CALL-028 to a queue that is declared before where it is not like any other; of a broadcast the exchange is', () => {
    const limited = new Queue('limited', { maxLength: 5 })
    const all = new Broadcast('all')
    const { route } = router({ taskQueues: [limited, all, 'plain'] })
    expect(route('a', { queue: 'limited' }).declare).toMatchObject([{ name: 'limited' }])
    expect(route('a', { queue: 'plain' }).declare).toEqual([])
    expect(route('a', { queue: 'all' })).toMatchObject({ exchange: 'all', declare: [all.exchange] })
  })

  test('CONF-121 not to a queue that nobody has described, where none are made', () => {
    const { route } = router({ taskQueues: ['video', 'celery'], taskCreateMissingQueues: false })
    expect(route('a', { queue: 'video' }).routingKey).toBe('video')
    expect(() => route('a', { queue: 'vidoe' })).toThrow(
      'there is no queue "vidoe" (taskQueues has video, celery), and taskCreateMissingQueues is off; did you mean "video"?',
    )
  })

  test('by routes that were set after the first message', () => {
    const { queueOf, settings } = router()
    expect(queueOf('a')).toBe('celery')
    settings.taskRoutes = { a: 'one' }
    expect(queueOf('a')).toBe('one')
    settings.taskRoutes = { a: 'two' }
    expect(queueOf('a')).toBe('two')
  })
})

describe('CONF-115 routes are', () => {
  class OldRouter {
    routeForTask(name: string) {
      return name === 'old' ? { queue: 'old-queue' } : null
    }
  }
  const forms: readonly [form: string, routes: Settings['taskRoutes']][] = [
    ['a table', { 'a.*': 'q', old: 'old-queue' }],
    [
      'a Map',
      new Map<string | RegExp, string>([
        [/a\./, 'q'],
        ['old', 'old-queue'],
      ]),
    ],
    [
      'pairs',
      [
        ['a.*', 'q'],
        ['old', { queue: 'old-queue' }],
      ],
    ],
    [
      'a list of pairs in a list, as in Celery',
      [
        [
          [/a\.b$/, { queue: 'q' }],
          ['old', 'old-queue'],
        ],
      ],
    ],
    ['a function', (name) => (name === 'a.b' ? 'q' : name === 'old' ? { queue: 'old-queue' } : undefined)],
    ['several', [{ 'x.*': 'x' }, () => null, { 'a.*': 'q' }, new OldRouter()]],
    ['CALL-037 an object of Celery 3', [new OldRouter(), { 'a.*': 'q' }]],
    ['CALL-037 a class of Celery 3', [OldRouter, { 'a.*': 'q' }]],
  ]
  test.each(forms)('%s', (_, taskRoutes) => {
    const { queueOf } = router({ taskRoutes })
    expect(['a.b', 'old', 'neither'].map(queueOf)).toEqual(['q', 'old-queue', 'celery'])
  })

  test('CALL-035 asked for each call, with all that is known of it', () => {
    const asked: unknown[][] = []
    const taskRoutes = (...call: unknown[]) => void asked.push(call)
    const task = { name: 't', options: { priority: 3 } }
    router({ taskRoutes }).route('t', { priority: 3 }, { args: [1], kwargs: { k: 2 }, task })
    expect(asked).toEqual([['t', [1], { k: 2 }, { priority: 3 }, task]])
  })

  test('in names of Python too', () => {
    const taskRoutes = { a: { exchange: 'x', routing_key: 'k', delivery_mode: 1 } } as Settings['taskRoutes']
    const { route } = router({ taskRoutes })
    expect(route('a')).toMatchObject({ exchange: 'x', routingKey: 'k', route: { deliveryMode: 1 } })
  })

  test.each<[routes: unknown, problem: string]>([
    [{ a: { queu: 'q' } }, 'the route of "a" has no option "queu"; did you mean queue?'],
    [{ a: { flavour: 'q' } }, 'the route of "a" has no option "flavour"; it has '],
    [{ a: 5 }, 'the route of "a" must be the name of a queue or an object of options, not a number'],
    [[['a', 'q', 'r']], 'each entry of a list of routes must be a pair'],
    [[5], 'a router must be a table, a function or the path of one, not number'],
    [async () => 'q', 'the route of "a" must be the name of a queue or an object of options, not a promise'],
  ])('refused with what is wrong: %j', (taskRoutes, problem) => {
    expect(() => router({ taskRoutes: taskRoutes as Settings['taskRoutes'] }).queueOf('a')).toThrow(problem)
  })

  const source = `export const video = (name) => name === 'a' ? 'video' : undefined
    export default { b: 'plain' }
    export const wrong = 'text'`
  const routes = `data:text/javascript,${encodeURIComponent(source)}`

  test('CALL-037 in modules, which are imported once', async () => {
    const { made, queueOf } = router({ taskRoutes: [`${routes}:video`, routes] })
    expect(() => queueOf('a')).toThrow('is not loaded; await app.loadModules() first')
    await made.load()
    expect(['a', 'b', 'c'].map(queueOf)).toEqual(['video', 'plain', 'celery'])
    expect(made.load()).toBeUndefined()
  })

  test('CALL-037 in modules that have them', async () => {
    await expect(router({ taskRoutes: `${routes}:nothing` }).made.load()).rejects.toThrow('has no export "nothing"')
    await expect(router({ taskRoutes: `${routes}:wrong` }).made.load()).rejects.toThrow('must be a router, not a text')
    await expect(router({ taskRoutes: './no-such-routes.ts' }).made.load()).rejects.toThrow('no-such-routes.ts')
  })
})
