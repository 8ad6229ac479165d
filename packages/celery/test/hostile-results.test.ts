import { existsSync, rmSync } from 'node:fs'
import { sqlite } from '@celery/backend-sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RemoteTaskError } from '../src/index.ts'
import { Scene } from './scene.ts'

const traces = '/tmp/celery-was-here'

async function setUp() {
  rmSync(traces, { force: true })
  const scene = new Scene()
  const backend = await sqlite.open(`sqlite:///${scene.broker}`)
  onTestFinished(async () => {
    await backend.close()
    await scene[Symbol.asyncDispose]()
  })
  /** Stores what a stranger with access to the store might. */
  const store = (taskId: string, record: string): Promise<void> => backend.store([{ taskId, state: 'FAILURE', record }])
  return { scene, store }
}

function failure(taskId: string, result: unknown): string {
  return JSON.stringify({ task_id: taskId, status: 'FAILURE', result, traceback: null, children: [] })
}

test.each([
  ['os', 'system', [`touch ${traces}`]],
  ['child_process', 'exec', [`touch ${traces}`]],
  ['node:child_process', 'execSync', [`touch ${traces}`]],
  ['__proto__', 'constructor', ['x']],
  ['constructor', '__proto__', ['x']],
  ['builtins', 'eval', ['1']],
])('H-23 an error called %s.%s is a general error', async (exc_module, exc_type, exc_message) => {
  const { scene, store } = await setUp()
  await store('id', failure('id', { exc_module, exc_type, exc_message }))
  const error = await scene.value('id').catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(RemoteTaskError)
  expect((error as Error).message).toContain(String(exc_message[0]))
  expect(existsSync(traces)).toBe(false)
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})

describe('H-23 a record that is none', () => {
  test.each([
    ['no JSON', 'not json'],
    ['a list', '[]'],
    ['the record of another task', failure('somebody-elses', null)],
    ['an exception that is text', failure('id', 'text')],
    ['__proto__ with a state', '{"__proto__": {"status": "SUCCESS", "result": 1}, "task_id": "id"}'],
  ])('%s is an error, and no value', async (_what, record) => {
    const { scene, store } = await setUp()
    await store('id', record)
    await expect(scene.value('id')).rejects.toMatchObject({ code: 'ERR_CELERY_INVALID_RESULT_RECORD' })
  })
})

test.each(['../../etc/passwd', 'a/b', '*', '%', '_', 'celery-task-meta-x', "'; drop table result; --", '__proto__'])(
  'H-31 a task whose id is %s has a result of its own',
  async (id) => {
    const { scene, store } = await setUp()
    await store('x', failure('x', { exc_type: 'Error', exc_message: ['of x'], exc_module: 'm' }))
    await store(id, failure(id, { exc_type: 'Error', exc_message: ['its own'], exc_module: 'm' }))
    await expect(scene.value(id)).rejects.toThrow('its own')
    await expect(scene.value('x')).rejects.toThrow('of x')
    await scene.client.asyncResult(id).forget()
    expect(await scene.state(id)).toBe('PENDING')
    expect(await scene.state('x')).toBe('FAILURE')
  },
)

test('H-31 a queue may be called anything, and is another one than all others', async () => {
  await using scene = new Scene({ settings: { taskAcksLate: true } })
  const names = ['../../etc/x', 'a/b', '*', "'; drop table message; --", '__proto__', 'constructor', '%']
  const ids = await Promise.all(
    names.map(async (queue, n) => (await scene.client.sendTask('add', [n, 1], { queue })).id),
  )
  for (const queue of names) expect(await scene.queue(queue), queue).toMatchObject({ ready: 1 })
  await scene.startWorker('-c', '1', '-P', 'solo', '-Q', names.join(','))
  expect(await Promise.all(ids.map((id) => scene.value(id)))).toEqual(names.map((_, n) => n + 1))
})
