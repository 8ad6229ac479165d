/** What follows from a task. */
import assert from 'node:assert/strict'
import { assertValue, type Cell } from '../cell.ts'
import type { Client } from '../client.ts'
import { otherLanguage } from '../direction.ts'

export const workflowCells: readonly Cell[] = [
  {
    name: 'link: a callback gets the result',
    async run({ client }) {
      const id = await client.send({
        task: 'interop.add',
        args: [1, 2],
        link: [
          { task: 'interop.add', args: [10] },
          { task: 'interop.add', args: [5, 5], immutable: true },
        ],
      })
      const { children } = await client.wait(id)
      assert.equal(children.length, 2)
      const results = (await client.waitAll(children)).map(({ result }) => result)
      assert.deepEqual(results, [13, 10])
    },
  },
  {
    name: 'link_error: a callback gets the id of what failed',
    async run({ client, notes }) {
      const id = await client.send({
        task: 'interop.fail',
        args: ['type', 'no'],
        linkError: [{ task: 'interop.report' }],
      })
      await notes.wait(1, id, 'report')
    },
  },
  {
    name: 'a task that sends a task',
    async run({ client }) {
      const id = await client.send({ task: 'interop.parent', args: ['celery'] })
      await assertChild(client, id)
    },
  },
  {
    name: 'chain of three',
    async run({ client }) {
      const ids = await client.sendChain([
        { task: 'interop.add', args: [1, 2] },
        { task: 'interop.add', args: [3] },
        { task: 'interop.add', kwargs: { y: 4 } },
      ])
      assert.equal(ids.length, 3)
      const results = (await client.waitAll(ids)).map(({ result }) => result)
      assert.deepEqual(results, [3, 6, 10])
    },
  },
  {
    name: 'chain that stops at a failure',
    async run({ client, notes, queue }) {
      const [first] = await client.sendChain([
        { task: 'interop.fail', args: ['type', 'no'], linkError: [{ task: 'interop.report' }] },
        { task: 'interop.note', args: [queue], immutable: true },
      ])
      await notes.wait(1, String(first), 'report')
      assert.deepEqual(notes.of(queue, 'run'), [])
    },
  },
  {
    name: 'chain through both languages and back',
    long: true,
    leftOut: sameLanguage,
    async run(stage) {
      const { client, direction, queue } = stage
      await stage.startWorker(otherLanguage(direction.worker))
      const { open, path } = stage.gate()
      open()
      const ids = await client.sendChain([
        { task: 'interop.add', args: [1, 2] },
        { task: 'interop.hold', args: [path, queue], options: { queue }, immutable: true },
        { task: 'interop.echo' },
      ])
      const outcomes = await client.waitAll(ids)
      const second = otherLanguage(direction.worker)
      assert.deepEqual(
        outcomes.map(({ result }) => result),
        [3, second, second],
      )
    },
  },
  {
    name: 'link to a task that the other language runs',
    long: true,
    leftOut: sameLanguage,
    async run(stage) {
      const { client, direction, queue } = stage
      await stage.startWorker(otherLanguage(direction.worker))
      const id = await client.send({
        task: 'interop.add',
        args: [1, 2],
        link: [{ task: 'interop.add', args: [10], options: { queue } }],
      })
      const [child] = (await client.wait(id)).children
      assertValue(await client.wait(String(child)), 13)
    },
  },
  {
    name: 'a task that sends a task which the other language runs',
    long: true,
    leftOut: sameLanguage,
    async run(stage) {
      const { client, direction, queue } = stage
      await stage.startWorker(otherLanguage(direction.worker))
      await assertChild(client, await client.send({ task: 'interop.parent', args: [queue] }))
    },
  },
]

/** The child is known to the parent's result, and itself knows where it comes from. */
async function assertChild(client: Client, id: string): Promise<void> {
  const { children, result, state } = await client.wait(id)
  assert.deepEqual([state, children], ['SUCCESS', [result]])
  const child = await client.wait(String(result))
  const { parent_id: parent, root_id: root } = child.result as Readonly<Record<string, unknown>>
  assert.deepEqual([child.state, parent, root], ['SUCCESS', id, id])
}

function sameLanguage({ client, worker }: { readonly client: string; readonly worker: string }): string | undefined {
  return client === worker ? 'there is one language only' : undefined
}
