import type { SignatureData, TaskEmbed } from '@celery/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  assertRunnable,
  CompositeSignatureError,
  callbackCalls,
  chain,
  derivedId,
  errbackCalls,
  nextChainStep,
  planCall,
  Signature,
  signature,
  signatureData,
} from '../src/index.ts'

const finished = { taskId: 'done-1', rootId: 'root-1', replyTo: 'me' }
const NOTHING: TaskEmbed = { callbacks: null, errbacks: null, chain: null, chord: null }

describe('callbacks', () => {
  test('get the result first, the root of the workflow, and the finished task as parent', () => {
    const [call] = callbackCalls([signatureData({ task: 'log', args: ['x'], options: { queue: 'q' } })], 7, finished)
    expect(call).toEqual({
      task: 'log',
      taskId: call?.taskId,
      args: [7, 'x'],
      kwargs: {},
      options: { queue: 'q', reply_to: 'me' },
      callbacks: null,
      errbacks: null,
      chain: null,
      rootId: 'root-1',
      parentId: 'done-1',
    })
  })

  test('an immutable one does not get the result', () => {
    const [call] = callbackCalls([signatureData({ task: 'log', args: ['x'], immutable: true })], 7, finished)
    expect(call?.args).toEqual(['x'])
  })

  test('an id that is fixed stays; others are the same at every repetition and differ from each other', () => {
    const fixed = signatureData({ task: 'a', options: { task_id: 'mine' } })
    const free = signatureData({ task: 'b' })
    const ids = () => callbackCalls([fixed, free, free], 1, finished).map((call) => call.taskId)
    expect(ids()).toEqual(ids())
    expect(ids()[0]).toBe('mine')
    expect(new Set(ids()).size).toBe(3)
    const other = callbackCalls([free], 1, { ...finished, taskId: 'done-2' })
    expect(ids()).not.toContain(other[0]?.taskId)
  })

  test('their own links travel with them', () => {
    const linked = signature('a').link(signature('b')).linkError(signature('c')).toData()
    const [call] = callbackCalls([linked], 1, finished)
    expect(call).toMatchObject({ callbacks: [{ task: 'b' }], errbacks: [{ task: 'c' }], options: { reply_to: 'me' } })
  })

  test('the place in a workflow that the signature was made at does not count', () => {
    const data = signatureData({ task: 'a', options: { root_id: 'old', parent_id: 'old' } })
    const [call] = callbackCalls([data], 1, finished)
    expect(call).toMatchObject({ rootId: 'root-1', parentId: 'done-1', options: { reply_to: 'me' } })
  })

  test('a chain as callback starts with the result', () => {
    const [call] = callbackCalls([chain([signature('a', [1]), signature('b')]).toData()], 7, finished)
    expect(call).toMatchObject({ task: 'a', args: [7, 1], chain: [{ task: 'b', options: { reply_to: 'me' } }] })
    expect(call?.chain?.[0]?.options.task_id).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('none are none', () => {
    expect([...callbackCalls(null, 1, finished), ...callbackCalls([], 1, finished)]).toEqual([])
    expect(errbackCalls(undefined, finished)).toEqual([])
  })
})

describe('errbacks', () => {
  test('get the id of the failed task first', () => {
    const data = [signatureData({ task: 'oops', args: ['x'] }), signatureData({ task: 'again', immutable: true })]
    const calls = errbackCalls(data, finished)
    expect(calls.map((call) => call.args)).toEqual([['done-1', 'x'], []])
    expect(calls[0]).toMatchObject({ rootId: 'root-1', parentId: 'done-1' })
  })
})

describe('the next step of a chain', () => {
  test('is the last of the list; the rest goes with it', () => {
    const [last, next] = [signatureData({ task: 'c' }), signatureData({ task: 'b', args: [5] })]
    const call = nextChainStep([last, next], 7, finished)
    expect(call).toMatchObject({ task: 'b', args: [7, 5], chain: [last] })
  })

  test('the last one is told that nothing is left, as Celery does', () => {
    expect(nextChainStep([signatureData({ task: 'c' })], 7, finished)?.chain).toEqual([])
  })

  test('there is none at the end', () => {
    expect([nextChainStep([], 1, finished), nextChainStep(null, 1, finished)]).toEqual([undefined, undefined])
  })

  test('a chain that stands for a step is run step by step, before the rest', () => {
    const inner = chain([signature('b1'), signature('b2')]).toData()
    const call = nextChainStep([signatureData({ task: 'c' }), inner], 7, finished)
    expect(call).toMatchObject({ task: 'b1', args: [7] })
    expect(call?.chain?.map((step) => step.task)).toEqual(['c', 'b2'])
  })

  test('walking any chain runs every step once, in order, with the ids it was sent with', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), (immutables) => {
        const steps = immutables.map((immutable, index) =>
          signatureData({ task: `t${index}`, args: ['own'], immutable }),
        )
        let made = 0
        const plan = planCall(chain(steps.map((step) => Signature.fromData(step))).toData(), {
          newId: () => `id-${made++}`,
        })
        const ran: { task: string; taskId: string; args: readonly unknown[] }[] = []
        for (let call: typeof plan.call | undefined = plan.call; call !== undefined; ) {
          ran.push({ task: call.task, taskId: call.taskId, args: call.args })
          call = nextChainStep(call.chain, `result of ${call.task}`, { taskId: call.taskId, rootId: 'id-0' })
        }
        expect(ran.map((call) => call.task)).toEqual(steps.map((step) => step.task))
        expect(ran.map((call) => call.taskId)).toEqual(plan.steps.map((step) => step.options.task_id))
        for (const [index, { args }] of ran.entries()) {
          expect(args).toEqual(index === 0 || immutables[index] ? ['own'] : [`result of t${index - 1}`, 'own'])
        }
      }),
    )
  })
})

describe('assertRunnable', () => {
  const group = signatureData({ task: 'celery.group', subtask_type: 'group' })
  const inOptions = (options: SignatureData['options']): SignatureData => signatureData({ task: 't', options })

  test('lets tasks and chains of tasks pass', () => {
    const plain = signature('a').link(signature('b')).toData()
    assertRunnable(NOTHING)
    assertRunnable({
      callbacks: [plain],
      errbacks: [plain],
      chain: [plain, chain([signature('c')]).toData()],
      chord: null,
    })
  })

  test.each<[string, Partial<TaskEmbed>]>([
    ['a chord that waits for it', { chord: signatureData({ task: 'sum' }) }],
    ['a group in the chain', { chain: [group] }],
    ['a group as callback', { callbacks: [group] }],
    ['a group as errback', { errbacks: [group] }],
    ['a kind nobody knows', { chain: [signatureData({ task: 'x', subtask_type: 'mystery' })] }],
    ['a group linked to a step', { chain: [inOptions({ link: [group] })] }],
    ['a group linked to the errors of a step', { chain: [inOptions({ link_error: [group] })] }],
    ['a chord that waits for a step', { chain: [inOptions({ chord: signatureData({ task: 'sum' }) })] }],
    [
      'a group in a chain in a callback',
      { callbacks: [signatureData({ task: 'celery.chain', kwargs: { tasks: [group] }, subtask_type: 'chain' })] },
    ],
  ])('refuses %s', (_, embed) => {
    expect(() => assertRunnable({ ...NOTHING, ...embed })).toThrow(CompositeSignatureError)
  })
})

test('a derived id is a UUID that depends on both of its parts', () => {
  const id = derivedId('task', 'callback:0')
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(derivedId('task', 'callback:0')).toBe(id)
  expect(new Set([id, derivedId('task', 'callback:1'), derivedId('other', 'callback:0')]).size).toBe(3)
})
