import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { deadLetterQueue } from '../../broker-connection.ts'
import { readBody } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

/** How a fetch waits, is woken and gives up. */
export const waitingCases: readonly TransportCase[] = [
  {
    name: 'wakes a waiting fetch when its own connection publishes',
    async run(context) {
      const connection = await context.open()
      const fetching = context.takeOne(connection, context.queue)
      await nextTurn()
      await context.publish(connection, context.queue, 'a')
      assert.equal(readBody(await fetching), 'a')
    },
  },
  {
    name: 'wakes a waiting fetch when another connection publishes',
    async run(context) {
      const [waiting, publisher] = [await context.open(), await context.open()]
      const fetching = context.takeOne(waiting, context.queue)
      await nextTurn()
      await context.publish(publisher, context.queue, 'a')
      assert.equal(readBody(await fetching), 'a')
    },
  },
  {
    name: 'wakes a waiting fetch within a second',
    async run(context) {
      const [waiting, publisher] = [await context.open(), await context.open()]
      const latencies: number[] = []
      for (let round = 0; round < 9; round++) {
        const fetching = context.takeOne(waiting, context.queue)
        await nextTurn()
        const startedAt = performance.now()
        await context.publish(publisher, context.queue, String(round))
        await context.settle(waiting, [await fetching])
        latencies.push(performance.now() - startedAt)
      }
      // The median: one slow round is the machine's, five are the driver's.
      const median = latencies.sort((a, b) => a - b)[4] ?? Number.NaN
      assert.ok(median < 1_000, `the median of nine rounds was ${median.toFixed(0)} ms`)
    },
  },
  {
    name: 'wakes a fetch that waits for several queues by any of them',
    async run(context) {
      const [waiting, publisher] = [await context.open(), await context.open()]
      const names = [context.queue, context.name('second'), context.name('third')]
      for (const name of [...names].reverse()) {
        const fetching = context.take(waiting, names, 1)
        await nextTurn()
        await context.publish(publisher, name, name)
        assert.deepEqual(
          (await fetching).map((delivery) => [delivery.queue, readBody(delivery)]),
          [[name, name]],
        )
      }
    },
  },
  {
    name: 'wakes a fetch that waits for a queue nobody has declared yet',
    async run(context) {
      const [waiting, publisher] = [await context.open(), await context.open()]
      const fetching = context.takeOne(waiting, context.queue)
      await nextTurn()
      await publisher.declareQueue({ name: context.queue })
      await context.publish(publisher, context.queue, 'a')
      assert.equal(readBody(await fetching), 'a')
    },
  },
  {
    name: 'wakes a waiting fetch when a message is requeued',
    async run(context) {
      const [owner, waiting] = [await context.open(), await context.open()]
      await context.publish(owner, context.queue, 'a')
      const delivery = await context.takeOne(owner, context.queue)
      const fetching = context.takeOne(waiting, context.queue)
      await nextTurn()
      await context.settle(owner, [delivery], { type: 'requeue', counted: false })
      assert.equal(readBody(await fetching), 'a')
    },
  },
  {
    name: 'wakes a waiting fetch by a follow-up of a settlement',
    async run(context) {
      const [owner, waiting] = [await context.open(), await context.open()]
      const target = context.name('target')
      await context.publish(owner, context.queue, 'a')
      const delivery = await context.takeOne(owner, context.queue)
      const fetching = context.takeOne(waiting, target)
      await nextTurn()
      const message = { body: 'b', contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} }
      await owner.settle([{ delivery, publish: [{ exchange: '', routingKey: target, message }] }])
      assert.equal(readBody(await fetching), 'b')
    },
  },
  {
    name: 'wakes a fetch that waits for dead letters',
    async run(context) {
      const [owner, waiting] = [await context.open(), await context.open()]
      await context.publish(owner, context.queue, 'a')
      const delivery = await context.takeOne(owner, context.queue)
      const fetching = context.takeOne(waiting, deadLetterQueue(context.queue))
      await nextTurn()
      await context.settle(owner, [delivery], { type: 'dead', reason: 'bad' })
      assert.equal((await fetching).deadReason, 'bad')
    },
  },
  {
    name: 'gives one message to one of two waiting fetches, and the next one to the other',
    async run(context) {
      const [one, other, publisher] = [await context.open(), await context.open(), await context.open()]
      const fetching = [context.takeOne(one, context.queue), context.takeOne(other, context.queue)]
      await nextTurn()
      await context.publish(publisher, context.queue, 'a')
      await Promise.race(fetching)
      await context.publish(publisher, context.queue, 'b')
      assert.deepEqual((await Promise.all(fetching)).map(readBody).sort(), ['a', 'b'])
    },
  },
  {
    name: 'rejects an aborted wait with the reason of the signal',
    async run(context) {
      const connection = await context.open()
      const controller = new AbortController()
      const reason = new Error('no longer wanted')
      const fetching = connection.fetch([context.queue], { max: 1, signal: controller.signal })
      await nextTurn()
      controller.abort(reason)
      await assert.rejects(context.soon(fetching, 'an aborted fetch'), (error) => error === reason)
    },
  },
  {
    name: 'holds nothing after an aborted wait',
    async run(context) {
      const [connection, other] = [await context.open(), await context.open()]
      const controller = new AbortController()
      const fetching = connection.fetch([context.queue], { max: 10, signal: controller.signal })
      await nextTurn()
      controller.abort()
      await assert.rejects(context.soon(fetching, 'an aborted fetch'))
      await context.publish(other, context.queue, 'a', 'b')
      await context.expectMessages(other, context.queue, ['a', 'b'])
    },
  },
  {
    name: 'takes nothing when the signal has aborted already',
    async run(context) {
      const connection = await context.open()
      const reason = new Error('never wanted')
      await context.publish(connection, context.queue, 'a')
      const fetching = connection.fetch([context.queue], { max: 1, signal: AbortSignal.abort(reason) })
      await assert.rejects(context.soon(fetching, 'an aborted fetch'), (error) => error === reason)
      await context.expectMessages(connection, context.queue, ['a'])
    },
  },
  {
    name: 'loses nothing when a fetch is aborted just as a message comes',
    async run(context) {
      const [connection, publisher] = [await context.open(), await context.open()]
      const got: string[] = []
      const rounds = 40
      for (let round = 0; round < rounds; round++) {
        const controller = new AbortController()
        const fetching = connection.fetch([context.queue], { max: 5, signal: controller.signal }).then(
          async (deliveries) => {
            await context.settle(connection, deliveries)
            return deliveries.map(readBody)
          },
          () => [],
        )
        if (round % 2 === 0) await nextTurn()
        const publishing = context.publish(publisher, context.queue, String(round))
        if (round % 3 === 0) await nextTurn()
        controller.abort()
        await publishing
        got.push(...(await context.soon(fetching, 'an aborted fetch')))
      }
      const { ready, held } = await context.info(connection, context.queue)
      assert.equal(held, 0, 'an aborted fetch holds messages')
      assert.equal(got.length + ready, rounds)
    },
  },
]
