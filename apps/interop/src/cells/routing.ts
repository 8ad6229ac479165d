/** Where a task goes, and in which order it is taken. */
import assert from 'node:assert/strict'
import { assertValue, type Cell } from '../cell.ts'
import type { BoundQueue } from '../setup.ts'

/** What is sent at once, and in which order Redis gives it out: four levels, the lowest number first. */
const priorities = [9, 5, 0, 3, 6, 2, 0]
const served = ['0#2', '2#5', '0#6', '5#1', '3#3', '6#4', '9#0']

export const routingCells: readonly Cell[] = [
  {
    name: 'a queue by its name',
    long: true,
    async run(stage) {
      const { client, direction, queue } = stage
      await stage.startWorker(direction.worker)
      const id = await client.send({ task: 'interop.add', args: [1, 2], options: { queue } })
      assertValue(await client.wait(id), 3)
    },
  },
  {
    name: 'priority: the lowest number first',
    long: true,
    async run(stage) {
      const { client, direction, notes, queue } = stage
      for (const [index, priority] of priorities.entries()) {
        await client.send({
          task: 'interop.note',
          args: [`${queue} ${priority}#${index}`],
          options: { queue, priority },
        })
      }
      await stage.startWorker(direction.worker, { concurrency: 1 })
      const found = await notes.wait(priorities.length, queue, 'run')
      assert.deepEqual(
        found.map(({ text }) => text),
        served.map((each) => `${queue} ${each}`),
      )
    },
  },
  {
    name: 'a direct exchange with a key of its own',
    long: true,
    async run(stage) {
      const { direction, queue } = stage
      const exchange = `${queue}.direct`
      const queues: BoundQueue[] = [{ name: queue, exchange, exchangeType: 'direct', routingKey: 'a key' }]
      await stage.startWorker(direction.worker, { queues })
      // By the exchange, and by a queue that the client was told of.
      const client = stage.clientWith({ queues })
      for (const options of [{ exchange, exchange_type: 'direct', routing_key: 'a key' } as const, { queue }]) {
        assertValue(await client.wait(await client.send({ task: 'interop.add', args: [1, 2], options })), 3)
      }
    },
  },
  {
    name: 'a topic exchange',
    long: true,
    async run(stage) {
      const { client, direction, notes, queue } = stage
      const exchange = `${queue}.topic`
      const queues = ['star', 'hash', 'plain'].map((kind): BoundQueue => {
        const routingKey = { star: 'a.*.c', hash: 'a.#', plain: 'x.y-z' }[kind] ?? kind
        return { name: `${queue}.${kind}`, exchange, exchangeType: 'topic', routingKey }
      })
      await stage.startWorker(direction.worker, { queues, consumes: queues.map(({ name }) => name) })
      const sent = ['a.b.c', 'a.b', 'x.y-z', 'x.yyz', 'b.a']
      for (const key of sent) {
        await client.send({
          task: 'interop.note',
          args: [`${queue} ${key}`],
          options: { exchange, exchange_type: 'topic', routing_key: key, ...optional(direction.client) },
        })
      }
      const expected = ['a.b', 'a.b.c', 'a.b.c', 'x.y-z']
      await notes.wait(expected.length, queue, 'run')
      // What went where it should not would be run as well.
      for (const { name } of queues) {
        await stage.untilLength(name, 0)
        await stage.untilHeld(0, name)
      }
      const found = notes.of(queue, 'run').map(({ text }) => text.slice(queue.length + 1))
      assert.deepEqual(found.sort(), expected)
    },
  },
]

/** Ours calls it an error that no queue takes a task. */
function optional(client: string): object {
  return client === 'typescript' ? { mandatory: false } : {}
}
