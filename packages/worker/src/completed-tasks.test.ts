import type { TraceInput } from '@celery/app/internal'
import type { ResultBackend, StoredRecord } from '@celery/backend'
import type { TaskEmbed } from '@celery/protocol'
import { expect, test } from 'vitest'
import { CompletedTasks, endsAlone } from './completed-tasks.ts'

/** A store with these states, which counts how often it is asked. */
function store(states: Readonly<Record<string, string>>) {
  const asked: string[] = []
  const fetch = async (ids: readonly string[]): Promise<ReadonlyMap<string, StoredRecord>> => {
    asked.push(...ids)
    return new Map(
      ids.flatMap((id) => (id in states ? [[id, { taskId: id, state: states[id] as string, record: '' }]] : [])),
    )
  }
  return { asked, open: async () => ({ fetch }) as unknown as ResultBackend }
}

test('what succeeded here is known without asking', async () => {
  const { asked, open } = store({})
  const completed = new CompletedTasks(open)
  completed.add('a')
  expect(await completed.has('a')).toBe(true)
  expect(asked).toEqual([])
  expect(await completed.has('b')).toBe(false)
  expect(asked).toEqual(['b'])
})

test('what succeeded elsewhere is known from the store, which is asked once', async () => {
  const { asked, open } = store({ a: 'SUCCESS', b: 'FAILURE', c: 'STARTED' })
  const completed = new CompletedTasks(open)
  for (const expected of [true, true]) expect(await completed.has('a')).toBe(expected)
  expect(await completed.has('b')).toBe(false)
  expect(await completed.has('c')).toBe(false)
  expect(asked).toEqual(['a', 'b', 'c'])
})

test('the oldest are forgotten', async () => {
  const { asked, open } = store({})
  const completed = new CompletedTasks(open)
  for (let n = 0; n <= 1_000; n++) completed.add(String(n))
  expect(await completed.has('0')).toBe(false)
  expect(await completed.has('1')).toBe(true)
  expect(asked).toEqual(['0'])
})

test('a store that cannot be asked has said nothing', async () => {
  const completed = new CompletedTasks(async () => Promise.reject(new Error('away')))
  await expect(completed.has('a')).rejects.toThrow('away')
})

test('P-8 a task ends alone where its message can be read and calls nobody', () => {
  const nobody = { callbacks: null, chain: null, chord: null, errbacks: null }
  const other = { task: 't', args: [], kwargs: {}, options: {}, subtask_type: null, immutable: false }
  const of = (embed: TaskEmbed) => endsAlone({} as TraceInput, { readTask: () => ({ args: [], kwargs: {}, embed }) })
  expect(of(nobody)).toBe(true)
  expect(of({ ...nobody, errbacks: [other] })).toBe(true)
  expect(of({ ...nobody, callbacks: [other] })).toBe(false)
  expect(of({ ...nobody, chain: [other] })).toBe(false)
  expect(of({ ...nobody, chord: other })).toBe(false)
  const unreadable = (): never => {
    throw new Error('not JSON')
  }
  expect(endsAlone({} as TraceInput, { readTask: unreadable })).toBe(false)
})
