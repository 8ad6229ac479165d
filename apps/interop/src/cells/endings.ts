/** How a task ends, and what is known of it before. */
import assert from 'node:assert/strict'
import { assertFailure, assertValue, type Cell } from '../cell.ts'
import type { Language } from '../setup.ts'
import { until } from '../until.ts'

/** What a task raises or throws, by the language it is written in. */
const failures: readonly (readonly [kind: string, types: Readonly<Record<Language, string>>])[] = [
  ['type', { python: 'TypeError', typescript: 'TypeError' }],
  ['value', { python: 'ValueError', typescript: 'RangeError' }],
  ['own', { python: 'OrderRefused', typescript: 'OrderRefused' }],
]

export const endingCells: readonly Cell[] = [
  ...failures.map(
    ([kind, types]): Cell => ({
      name: `a failure: ${kind === 'own' ? 'a class of its own' : `${kind} error`}`,
      async run({ client, direction }) {
        const id = await client.send({ task: 'interop.fail', args: [kind, 'no — ünï'] })
        const outcome = await client.wait(id)
        assertFailure(outcome, { type: types[direction.worker], message: 'no — ünï' })
        const traceback = outcome.traceback ?? ''
        assert.match(
          traceback,
          direction.worker === 'python' ? /Traceback[\s\S]*interop_app\.py/ : /\n\s+at .*tasks\.[jt]s/,
        )
        assert.ok(traceback.includes('no — ünï'), traceback)
      },
    }),
  ),
  {
    name: 'retries until it succeeds',
    async run({ client }) {
      assertValue(await client.wait(await client.send({ task: 'interop.retry', args: [2, 3, 0.2] })), 2)
    },
  },
  {
    name: 'retries until there are none left',
    async run({ client }) {
      const outcome = await client.wait(await client.send({ task: 'interop.retry', args: [9, 2, 0.1] }))
      assertFailure(outcome, { type: 'TypeError', message: 'not yet' })
    },
  },
  {
    name: 'state RETRY, with the reason',
    async run({ client }) {
      const id = await client.send({ task: 'interop.retry', args: [1, 3, 10] })
      const retried = await until('state RETRY', async () => {
        const outcome = await client.outcome(id)
        return outcome.state === 'RETRY' ? outcome : undefined
      })
      assert.deepEqual(retried.error, { type: 'TypeError', message: 'not yet' })
    },
  },
  {
    name: 'a state of its own, with what goes with it',
    async run(stage) {
      const { client } = stage
      const { open, path } = stage.gate()
      const id = await client.send({ task: 'interop.progress', args: [path] })
      const reported = await until('state PROGRESS', async () => {
        const outcome = await client.outcome(id)
        return outcome.state === 'PROGRESS' ? outcome : undefined
      })
      assert.deepEqual(reported.result, { done: 1, of: 2 })
      open()
      assertValue(await client.wait(id), 'done')
    },
  },
  {
    name: 'state STARTED, with who runs it',
    async run(stage) {
      const { client } = stage
      const { open, path } = stage.gate()
      const id = await client.send({ task: 'interop.tracked', args: [path] })
      const started = await until('state STARTED', async () => {
        const outcome = await client.outcome(id)
        return outcome.state === 'STARTED' ? outcome : undefined
      })
      const { hostname, pid } = started.result as Record<string, unknown>
      assert.deepEqual([typeof hostname, typeof pid], ['string', 'number'])
      open()
      assertValue(await client.wait(id), 'done')
    },
  },
  ignored('a result that the task does not keep', 'interop.ignored', {}),
  ignored('a result that the call does not want', 'interop.note', { ignore_result: true }),
  {
    name: 'soft time limit of the call',
    async run({ client }) {
      const id = await client.send({ task: 'interop.overrun', options: { soft_time_limit: 1 } })
      assertValue(await client.wait(id), 'ended by itself')
    },
  },
  {
    name: 'hard time limit of the call',
    async run({ client }) {
      const id = await client.send({ task: 'interop.stuck', options: { time_limit: 1 } })
      // Each client has a class for it.
      const type = client.language === 'python' ? 'TimeLimitExceeded' : 'TimeLimitExceededError'
      assertFailure(await client.wait(id), { type })
      assertValue(await client.wait(await client.send({ task: 'interop.add', args: [1, 1] })), 2)
    },
  },
  {
    name: 'the news of an end reaches who waits for it',
    async run(stage) {
      const { client } = stage
      const { open, path } = stage.gate()
      const id = await client.send({ task: 'interop.tracked', args: [path] })
      const waiting = client.waitForNews(id)
      await until('the client to listen', async () => {
        const [, listeners] = (await stage.redis('PUBSUB', 'NUMSUB', `celery-task-meta-${id}`)) as unknown[]
        return Number(listeners) > 0 ? true : undefined
      })
      open()
      assertValue(await waiting, 'done')
    },
  },
  {
    name: 'forgetting a result',
    async run(stage) {
      const { client } = stage
      const id = await client.send({ task: 'interop.add', args: [1, 1] })
      await client.wait(id)
      assert.equal(await stage.redis('EXISTS', `celery-task-meta-${id}`), 1)
      await client.forget(id)
      assert.equal(await stage.redis('EXISTS', `celery-task-meta-${id}`), 0)
    },
  },
  {
    name: 'results go away after a day',
    async run(stage) {
      const { client } = stage
      const id = await client.send({ task: 'interop.add', args: [1, 1] })
      await client.wait(id)
      const seconds = Number(await stage.redis('TTL', `celery-task-meta-${id}`))
      assert.ok(seconds > 86_000 && seconds <= 86_400, `${seconds} s are left`)
    },
  },
]

/** Of the worker that all cells share. */
const slots = 2

/** It runs, and the store knows nothing of it. */
function ignored(name: string, task: string, options: { readonly ignore_result?: boolean }): Cell {
  return {
    name,
    async run(stage) {
      const { client, notes, queue } = stage
      const id = await client.send({ task, args: [queue], options })
      await notes.wait(1, queue, 'run')
      // When each slot has run something after it, what it left would have been written.
      const gates = Array.from({ length: slots }, () => stage.gate())
      const later = await client.sendMany(gates.map(({ path }) => ({ task: 'interop.tracked', args: [path] })))
      for (const each of later) {
        await until('all slots to be taken', async () =>
          (await client.outcome(each)).state === 'STARTED' ? true : undefined,
        )
      }
      for (const { open } of gates) open()
      await client.waitAll(later)
      assert.equal(await stage.redis('EXISTS', `celery-task-meta-${id}`), 0)
    },
  }
}
