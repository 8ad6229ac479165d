import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  type AnyArgs,
  callbackCalls,
  chain,
  createSignature,
  nextChainStep,
  type PlannedCall,
  type Signature,
} from '../src/index.ts'
import { RecordingDispatcher } from './recording-dispatcher.ts'

/** What Celery 5.6 put on Redis for the same calls. */
function golden(name: string): Golden {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8')) as Golden
}

interface Golden {
  readonly result_as_tuple: unknown
  readonly messages: readonly { readonly decoded: Decoded }[]
}

interface Decoded {
  readonly body: readonly [AnyArgs, object, { readonly chain: readonly { options: { task_id: string } }[] | null }]
  readonly headers: {
    readonly id: string
    readonly root_id: string
    readonly parent_id: string | null
    readonly task: string
  }
  readonly properties: { readonly reply_to: string }
}

function s(dispatcher: RecordingDispatcher, task: string, ...args: AnyArgs): Signature<AnyArgs, unknown, false> {
  return createSignature(`wapp.${task}`, args, { immutable: false, dispatcher })
}

function bodyOf(call: PlannedCall | undefined): unknown {
  const { args, kwargs, callbacks, errbacks, chain } = call as PlannedCall
  return [args, kwargs, { callbacks, errbacks, chain, chord: null }]
}

/** The call, and the ids that Python drew for it, in the order of the steps. */
const cases = {
  chain3: (d: RecordingDispatcher) => chain([s(d, 'add', 2, 3), s(d, 'mul', 4), s(d, 'add', 5)]).applyAsync([]),
  link: (d: RecordingDispatcher) => s(d, 'add', 2, 3).applyAsync([], { link: s(d, 'mul', 10) }),
  link_list_error: (d: RecordingDispatcher) => {
    const immutable = createSignature('wapp.cb', [1], { immutable: true })
    return s(d, 'add', 2, 3).applyAsync([], { link: [s(d, 'mul', 10), immutable], linkError: s(d, 'on_err') })
  },
  chain_link_error: (d: RecordingDispatcher) =>
    chain([s(d, 'add', 2, 3), s(d, 'mul', 4)]).applyAsync([], { link: s(d, 'cb'), linkError: s(d, 'on_err') }),
}

describe('what a client sends is what Celery sends', () => {
  test.each(Object.entries(cases))('%s', async (name, apply) => {
    const { messages, result_as_tuple } = golden(name)
    const { body, headers, properties } = (messages[0] as Golden['messages'][number]).decoded
    const following = [...(body[2].chain ?? [])].reverse().map((step) => step.options.task_id)
    const dispatcher = new RecordingDispatcher({ ids: [headers.id, ...following], replyTo: properties.reply_to })
    const result = await apply(dispatcher)
    const call = dispatcher.sent[0]?.call
    expect(bodyOf(call)).toEqual(body)
    expect(call).toMatchObject({ task: headers.task, taskId: headers.id })
    expect(result.asTuple()).toEqual(result_as_tuple)
  })
})

describe('what a worker sends on is what a Celery worker sends', () => {
  const [callback, middle] = golden('mul__from_add').messages.map((message) => message.decoded) as [Decoded, Decoded]
  const last = golden('add__from_mul').messages[0]?.decoded as Decoded

  test('a callback', () => {
    const { headers, body } = callback
    const finished = { taskId: headers.parent_id as string, rootId: headers.root_id }
    const data = createSignature(headers.task, body[0].slice(1), { immutable: false }).toData()
    const [call] = callbackCalls([data], body[0][0], finished)
    expect(bodyOf(call)).toEqual(body)
    expect(call).toMatchObject({ task: headers.task, rootId: headers.root_id, parentId: headers.parent_id })
  })

  test('the middle step of a chain, and then its last one', () => {
    const finished = { taskId: middle.headers.parent_id as string, rootId: middle.headers.root_id }
    const options = { taskId: middle.headers.id, replyTo: middle.properties.reply_to }
    const step = createSignature('wapp.mul', middle.body[0].slice(1), { immutable: false, ...options }).toData()
    const rest = middle.body[2].chain as unknown as Parameters<typeof nextChainStep>[0]
    const call = nextChainStep([...(rest ?? []), step], middle.body[0][0], finished) as PlannedCall
    expect(bodyOf(call)).toEqual(middle.body)
    expect(call).toMatchObject({ taskId: middle.headers.id, parentId: finished.taskId, rootId: finished.rootId })

    const end = nextChainStep(call.chain, last.body[0][0], { taskId: call.taskId, rootId: finished.rootId })
    expect(bodyOf(end)).toEqual(last.body)
    expect(end).toMatchObject({
      taskId: last.headers.id,
      parentId: last.headers.parent_id,
      rootId: last.headers.root_id,
    })
    expect(nextChainStep(end?.chain, 9, { taskId: last.headers.id, rootId: finished.rootId })).toBeUndefined()
  })
})
