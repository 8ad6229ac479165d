import { inspect } from 'node:util'
import { InvalidTaskMessageError } from '@celery/protocol'
import { describe, expect, test } from 'vitest'
import {
  CompositeSignatureError,
  chain,
  createSignature,
  DetachedSignatureError,
  EmptyChainError,
  Signature,
  signature,
} from '../src/index.ts'
import { RecordingDispatcher } from './recording-dispatcher.ts'

function setUp() {
  const dispatcher = new RecordingDispatcher()
  const s = (task: string, ...args: number[]) => signature<number>(task, args, { dispatcher })
  const si = (task: string, ...args: number[]) => signature<number>(task, args, { dispatcher, immutable: true })
  return { dispatcher, s, si }
}

describe('as data', () => {
  test('every key is there, in wire spelling', () => {
    const data = signature('proj.add', [1], {
      kwargs: { y: 2 },
      routingKey: 'k',
      timeLimit: 5,
      immutable: true,
    }).toData()
    expect(data).toEqual({
      task: 'proj.add',
      args: [1],
      kwargs: { y: 2 },
      options: { routing_key: 'k', time_limit: 5 },
      subtask_type: null,
      immutable: true,
    })
    expect(Object.keys(signature('t').toData())).toEqual([
      'task',
      'args',
      'kwargs',
      'options',
      'subtask_type',
      'immutable',
    ])
  })

  test('printed, it is as Celery shows it, and not all of its application', () => {
    const { s, si } = setUp()
    expect(inspect({ call: s('a', 2).pipe(si('b')) })).toBe('{ call: a(2) | b() }')
  })

  test('moments are written so that every Python reads them', () => {
    const moment = new Date('2030-01-02T03:04:05Z')
    const { options } = signature('t', [], { eta: moment, expires: moment })
    expect(options).toEqual({ eta: '2030-01-02T03:04:05+00:00', expires: '2030-01-02T03:04:05+00:00' })
  })

  test('it survives JSON, a chain too', () => {
    const { s, si } = setUp()
    for (const original of [s('a', 1), s('a').link(s('b')).pipe(si('c', 2)).set({ queue: 'q' })]) {
      const back = Signature.fromData(JSON.parse(JSON.stringify(original)))
      expect(back.toData()).toEqual(original.toData())
    }
  })

  test('what is no signature is refused by name', () => {
    expect(() => Signature.fromData({ args: [] })).toThrow(InvalidTaskMessageError)
    expect(() => Signature.fromData('proj.add')).toThrow(InvalidTaskMessageError)
  })

  test('it has no then, so that an async function can return it', async () => {
    const { s } = setUp()
    const original = s('a')
    expect('then' in original).toBe(false)
    expect(await original).toBe(original)
  })

  test('its text is that of Celery', () => {
    const { s } = setUp()
    expect(String(s('tasks.add', 2, 2))).toBe('tasks.add(2, 2)')
    expect(String(signature('tasks.greet', ["o'k"], { kwargs: { loud: true } }))).toBe(
      "tasks.greet('o\\'k', loud=True)",
    )
    expect(String(s('tasks.add', 2, 2).pipe(s('tasks.mul', 3)))).toBe('tasks.add(2, 2) | tasks.mul(3)')
  })
})

describe('sending', () => {
  test('missing arguments go in front', async () => {
    const { dispatcher, s } = setUp()
    const result = await s('add', 3).delay(1, 2)
    expect(dispatcher.sent[0]?.call).toMatchObject({ task: 'add', args: [1, 2, 3], taskId: 'id-1', chain: null })
    expect(result.id).toBe('id-1')
    expect(result.parent).toBeUndefined()
  })

  test('kwargs and options given at the call win', async () => {
    const { dispatcher } = setUp()
    const base = signature('t', [], { kwargs: { a: 1, b: 1 }, queue: 'old', priority: 3, dispatcher })
    await base.applyAsync([], { kwargs: { b: 2 }, queue: 'new' })
    expect(dispatcher.sent[0]?.call).toMatchObject({ kwargs: { a: 1, b: 2 }, options: { queue: 'new', priority: 3 } })
  })

  test('an immutable one takes options and nothing else', async () => {
    const { dispatcher, si } = setUp()
    await si('add', 2).applyAsync([1], { kwargs: { x: 1 }, countdown: 5 })
    expect(dispatcher.sent[0]?.call).toMatchObject({ args: [2], kwargs: {}, options: { countdown: 5 } })
  })

  test('sending does not change it: each call is a task of its own', async () => {
    const { dispatcher, s } = setUp()
    const add = s('add', 1)
    const before = structuredClone(add.toData())
    await add.delay(5)
    await add.delay(6)
    expect(add.toData()).toEqual(before)
    expect(dispatcher.sent.map((plan) => plan.call.taskId)).toEqual(['id-1', 'id-2'])
  })

  test('links become callbacks and errbacks, and no option of the message', async () => {
    const { dispatcher, s } = setUp()
    await s('a')
      .link(s('b'))
      .linkError(s('c'))
      .applyAsync([], { link: s('d') })
    const call = dispatcher.sent[0]?.call
    expect(call?.callbacks?.map((link) => link.task)).toEqual(['b', 'd'])
    expect(call?.errbacks?.map((link) => link.task)).toEqual(['c'])
    expect(call?.options).toEqual({})
  })

  test('without an application it cannot be sent, and says so', async () => {
    await expect(signature('proj.add', [2]).delay()).rejects.toBeInstanceOf(DetachedSignatureError)
    expect(() => signature('proj.add').freeze()).toThrow(DetachedSignatureError)
  })

  test('a composition that is not supported is refused before anything is sent', async () => {
    const { dispatcher, s } = setUp()
    const group = Signature.fromData({ task: 'celery.group', kwargs: { tasks: [] }, subtask_type: 'group' }, dispatcher)
    await expect(group.delay()).rejects.toBeInstanceOf(CompositeSignatureError)
    await expect(s('a').pipe(group).delay()).rejects.toMatchObject({ kind: 'group', task: 'celery.group' })
    await expect(s('a').link(group).delay()).rejects.toBeInstanceOf(CompositeSignatureError)
    expect(dispatcher.sent).toEqual([])
  })

  test('callAndGet waits for the result', async () => {
    const { dispatcher } = setUp()
    const add = createSignature<[], number, false>('add', [2, 2], { immutable: false, dispatcher })
    await expect(add.callAndGet()).rejects.toThrow('there is no store')
    expect(dispatcher.sent).toHaveLength(1)
  })
})

describe('changing and copying', () => {
  test('set, link, linkError and onError change it and return it', () => {
    const { s } = setUp()
    const original = s('a')
    const errback = s('c')
    expect(original.set({ queue: 'q' }).set({ countdown: 1 }).link(s('b')).linkError(errback).onError(s('d'))).toBe(
      original,
    )
    expect(original.options).toMatchObject({ queue: 'q', countdown: 1 })
    expect(original.options.link_error?.map((link) => link.task)).toEqual(['c', 'd'])
  })

  test('the same callback is linked once', () => {
    const { s } = setUp()
    expect(s('a').link(s('b', 1)).link(s('b', 1)).link(s('b', 2)).options.link).toHaveLength(2)
  })

  test('a clone goes its own way', () => {
    const { s } = setUp()
    const original = s('add', 3)
    const copy = original.clone([2], { kwargs: { z: 1 }, queue: 'q' }).link(s('b'))
    expect(copy.toData()).toMatchObject({ args: [2, 3], kwargs: { z: 1 }, options: { queue: 'q' } })
    expect(original.toData()).toMatchObject({ args: [3], kwargs: {}, options: {} })
  })

  test('what is linked or piped is a copy', () => {
    const { s } = setUp()
    const next = s('b')
    const both = s('a').pipe(next)
    next.set({ queue: 'later' })
    expect(both.toData().kwargs['tasks']).toMatchObject([{ task: 'a' }, { task: 'b', options: {} }])
  })

  test('freeze fixes the id before sending', async () => {
    const { dispatcher, s } = setUp()
    const frozen = s('a', 1)
    expect(frozen.id).toBeUndefined()
    const handle = frozen.freeze()
    expect(frozen.id).toBe(handle.id)
    expect((await frozen.delay()).id).toBe(handle.id)
    expect(s('a').freeze('mine').id).toBe('mine')
    expect(dispatcher.sent).toHaveLength(1)
  })

  test('freezing a chain fixes every step and gives the line of results', async () => {
    const { s } = setUp()
    const line = s('a').pipe(s('b')).pipe(s('c')).set({ queue: 'q' }).linkError(s('e'))
    const handle = line.freeze('last')
    expect(handle.asTuple()).toEqual([['last', [['id-2', [['id-1', null], null]], null]], null])
    expect((await line.delay()).asTuple()).toEqual(handle.asTuple())
  })
})

describe('a chain', () => {
  test('chain(a, b, c) and a.pipe(b).pipe(c) are one thing', () => {
    const { s } = setUp()
    const data = s('a').pipe(s('b')).pipe(s('c')).toData()
    expect(chain([s('a'), s('b'), s('c')]).toData()).toEqual(data)
    expect(
      s('a')
        .pipe(chain([s('b'), s('c')]))
        .toData(),
    ).toEqual(data)
    expect(data).toMatchObject({ task: 'celery.chain', subtask_type: 'chain', immutable: false })
  })

  test('a chain of one sends one task', async () => {
    const { dispatcher, s } = setUp()
    await chain(s('a')).delay(1)
    expect(dispatcher.sent[0]?.call).toMatchObject({ task: 'a', args: [1], chain: null })
  })

  test('a task that is piped or linked itself, instead of its signature, is refused by name', () => {
    const { s } = setUp()
    const task = Object.assign(() => 0, { taskName: 'mul' }) as never
    const first = s('add', 2, 2)
    const problem = (where: string) =>
      new TypeError(`${where} takes signatures, not the task mul itself: call its s() with the arguments`)
    expect(() => first.pipe(task)).toThrow(problem('pipe()'))
    expect(() => first.link(task)).toThrow(problem('link()'))
    expect(() => first.linkError(task)).toThrow(problem('linkError()'))
    expect(first.options).toEqual({})
  })

  test('options in the place of arguments are refused, and nothing is sent', async () => {
    const { dispatcher, s } = setUp()
    const options = { linkError: s('report') } as never
    const problem = new TypeError(
      'args of a call of celery.chain must be a list, such as [2, 2], not object; options come after it',
    )
    const line = s('add', 2, 2).pipe(s('mul', 2))
    await expect(line.applyAsync(options)).rejects.toThrow(problem)
    await expect(line.apply(options)).rejects.toThrow(problem)
    expect(() => line.clone(options)).toThrow(problem)
    expect(dispatcher.sent).toEqual([])
  })

  test('a chain of nothing is refused', () => {
    expect(() => chain([])).toThrow(EmptyChainError)
    expect(() => Signature.fromData({ task: 'celery.chain', subtask_type: 'chain' }).id).toThrow(EmptyChainError)
  })

  test('arguments and options are the first step’s, the id the last one’s', async () => {
    const { dispatcher, s } = setUp()
    const result = await chain([s('a', 2), s('b')]).applyAsync([1], { kwargs: { k: 1 }, queue: 'q', taskId: 'last' })
    const call = dispatcher.sent[0]?.call
    expect(call).toMatchObject({ task: 'a', args: [1, 2], kwargs: { k: 1 }, options: { queue: 'q' } })
    expect(call?.chain?.map((step) => step.options)).toEqual([{ task_id: 'last' }])
    expect(result.id).toBe('last')
  })

  test('kwargs called tasks do not get in the way', async () => {
    const { dispatcher, s } = setUp()
    await chain([s('a'), s('b')]).applyAsync([], { kwargs: { tasks: 7 } })
    expect(dispatcher.sent[0]?.call).toMatchObject({ task: 'a', kwargs: { tasks: 7 } })
  })

  test('a chain inside a chain keeps its links where they were', async () => {
    const { dispatcher, s } = setUp()
    const inner = s('b').pipe(s('c')).link(s('done')).linkError(s('oops'))
    await s('a').pipe(inner).pipe(s('d')).delay()
    const call = dispatcher.sent[0]?.call
    const [d, c, b] = call?.chain ?? []
    expect([b?.task, c?.task, d?.task]).toEqual(['b', 'c', 'd'])
    expect(call?.errbacks).toBeNull()
    expect(b?.options.link_error).toHaveLength(1)
    expect(c?.options).toMatchObject({ link: [{ task: 'done' }], link_error: [{ task: 'oops' }] })
    expect(d?.options).toEqual({ task_id: 'id-4' })
  })

  test('it is sent from where any of its steps can be', async () => {
    const { dispatcher, s } = setUp()
    await signature<number>('far.away').pipe(s('b')).delay(1)
    await chain([signature('far.away'), s('b')]).delay(1)
    expect(dispatcher.sent).toHaveLength(2)
  })
})
