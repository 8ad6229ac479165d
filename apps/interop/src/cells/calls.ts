/** What a call says: arguments, its id, what the task is told of itself. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { assertValue, type Cell, returns } from '../cell.ts'
import { otherLanguage } from '../direction.ts'

export const callCells: readonly Cell[] = [
  returns('positional arguments', { task: 'interop.add', args: [2, 3] }, 5),
  returns('arguments by name', { task: 'interop.add', kwargs: { y: 3, x: 40 } }, 43),
  returns('positional ones and some by name', { task: 'interop.join', args: ['one'], kwargs: { third: 'drei' } }, [
    'one',
    'two',
    'drei',
  ]),
  returns('arguments left to their defaults', { task: 'interop.join', args: ['one'] }, ['one', 'two', 'three']),
  returns('an argument of a MiB', { task: 'interop.echo', args: ['é'.repeat(2 ** 19)] }, 'é'.repeat(2 ** 19)),
  {
    name: 'an id that the caller chose',
    async run({ client }) {
      const id = `interop-${randomUUID()}`
      assert.equal(await client.send({ task: 'interop.add', args: [1, 1], options: { task_id: id } }), id)
      assertValue(await client.wait(id), 2)
    },
  },
  {
    name: 'what a task is told of itself',
    async run({ client }) {
      const id = await client.send({
        task: 'interop.request',
        options: { time_limit: 600, soft_time_limit: 500.5, shadow: 'shown', headers: { interop_custom: ['ü', 1] } },
      })
      assertValue(await client.wait(id), {
        id,
        root_id: id,
        parent_id: null,
        retries: 0,
        hard_limit: 600,
        soft_limit: 500.5,
        shadow: 'shown',
        custom: ['ü', 1],
        group: null,
      })
    },
  },
  {
    name: 'a result that is asked for by the other side',
    leftOut: ({ client, worker }) => (client === worker ? 'there is no other side' : undefined),
    async run(stage) {
      const { client } = stage
      const id = await client.send({ task: 'interop.echo', args: [{ a: ['ü'] }] })
      const reader = stage.clientWith({ language: otherLanguage(client.language) })
      assertValue(await reader.wait(id), { a: ['ü'] })
    },
  },
  {
    name: 'a hundred results at a time',
    async run({ client }) {
      const numbers = [...Array(100).keys()]
      const ids = await client.sendMany(numbers.map((number) => ({ task: 'interop.add', args: [number, 1] })))
      const outcomes = await client.waitAll(ids)
      for (const number of numbers) assertValue(outcomes[number], number + 1)
    },
  },
  {
    name: 'protocol 1',
    async run(stage) {
      const old = stage.clientWith({ settings: { task_protocol: 1 } })
      const call = { task: 'interop.add', args: [2], kwargs: { y: 3 } }
      assert.deepEqual((await stage.envelopeOf(old, call)).headers, {})
      assertValue(await old.wait(await old.send(call)), 5)
      const startedAt = Date.now() / 1000
      const later = await old.wait(await old.send({ task: 'interop.now', options: { countdown: 1 } }))
      assert.ok(Number(later.result) >= startedAt + 1, `it ran ${Number(later.result) - startedAt} s after it was sent`)
      await old.send({
        task: 'interop.echo',
        args: [stage.queue],
        link: [{ task: 'interop.note' }],
      })
      await stage.notes.wait(1, stage.queue, 'run')
      const failed = await old.send({
        task: 'interop.fail',
        args: ['type', 'no'],
        linkError: [{ task: 'interop.report' }],
      })
      assert.equal((await old.wait(failed)).state, 'FAILURE')
      await stage.notes.wait(1, failed, 'report')
    },
  },
]
