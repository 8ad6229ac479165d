import assert from 'node:assert/strict'
import { publication, textMessage } from '../case-context.ts'
import { readBody } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

/** Which message comes first, to whom, and how often. */
export const orderCases: readonly TransportCase[] = [
  {
    name: 'delivers in the order of publishing',
    async run(context) {
      const connection = await context.open()
      for (const body of ['a', 'b', 'c', 'd']) await context.publish(connection, context.queue, body)
      await context.expectMessages(connection, context.queue, ['a', 'b', 'c', 'd'])
    },
  },
  {
    name: 'keeps the order of the messages of one call',
    async run(context) {
      const connection = await context.open()
      const bodies = Array.from({ length: 50 }, (_, index) => `message ${index}`)
      await context.publish(connection, context.queue, ...bodies)
      await context.expectMessages(connection, context.queue, bodies)
    },
  },
  {
    name: 'keeps the order when messages are fetched one by one',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a', 'b', 'c')
      const bodies: string[] = []
      for (let count = 0; count < 3; count++) bodies.push(readBody(await context.takeOne(connection, context.queue)))
      assert.deepEqual(bodies, ['a', 'b', 'c'])
    },
  },
  {
    name: 'fetches no more than asked for',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a', 'b', 'c', 'd', 'e')
      const deliveries = await context.fetch(connection, [context.queue], 3)
      assert.ok(deliveries.length >= 1 && deliveries.length <= 3)
      const { ready, held } = await context.info(connection, context.queue)
      assert.deepEqual({ ready, held }, { ready: 5 - deliveries.length, held: deliveries.length })
    },
  },
  {
    name: 'fetches what there is without waiting for more',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const deliveries = await context.fetch(connection, [context.queue], 100)
      assert.deepEqual(deliveries.map(readBody), ['a'])
    },
  },
  {
    name: 'refuses to fetch less than one message',
    async run(context) {
      const connection = await context.open()
      const { signal } = new AbortController()
      await assert.rejects(
        context.soon(connection.fetch([context.queue], { max: 0, signal }), 'a fetch of none'),
        RangeError,
      )
    },
  },
  {
    name: 'delivers a held message to nobody else',
    async run(context) {
      const [one, other] = [await context.open(), await context.open()]
      await context.publish(one, context.queue, 'a')
      await context.takeOne(one, context.queue)
      await context.expectNothing(one, context.queue)
      await context.expectNothing(other, context.queue)
    },
  },
  {
    name: 'gives each message to one of two connections that fetch at the same time',
    async run(context) {
      const connections = [await context.open(), await context.open()]
      const bodies = Array.from({ length: 100 }, (_, index) => String(index))
      await context.publish(connections[0] as (typeof connections)[number], context.queue, ...bodies)
      const fetches = connections.flatMap((connection) =>
        Array.from({ length: 5 }, () => context.fetch(connection, [context.queue], 10)),
      )
      const got = (await Promise.all(fetches)).flat().map(readBody)
      assert.equal(new Set(got).size, got.length, 'a message was delivered twice')
    },
  },
  {
    name: 'gives every message of 2,000 to one of several concurrent consumers',
    async run(context) {
      const count = 2_000
      const connections = await Promise.all([context.open(), context.open(), context.open(), context.open()])
      const bodies = Array.from({ length: count }, (_, index) => String(index))
      const got: string[] = []
      const done = new AbortController()
      const consumers = connections.map(async (connection) => {
        while (!done.signal.aborted) {
          const deliveries = await connection
            .fetch([context.queue], { max: 37, signal: done.signal })
            .catch((error: unknown) => {
              if (done.signal.aborted) return []
              throw error
            })
          await context.settle(connection, deliveries)
          got.push(...deliveries.map(readBody))
          if (got.length >= count) done.abort()
        }
      })
      const publisher = await context.open()
      for (let at = 0; at < count; at += 100)
        await context.publish(publisher, context.queue, ...bodies.slice(at, at + 100))
      await context.soon(Promise.all(consumers), `consuming ${count} messages`)
      assert.equal(got.length, count)
      assert.equal(new Set(got).size, count, 'a message was delivered twice')
      assert.deepEqual(await context.info(publisher, context.queue), { ready: 0, delayed: 0, held: 0 })
    },
  },
  {
    name: 'fetches from the queues it was asked for only',
    async run(context) {
      const connection = await context.open()
      const other = context.name('other')
      await context.publish(connection, other, 'not this')
      await context.publish(connection, context.queue, 'this')
      const delivery = await context.takeOne(connection, context.queue)
      assert.deepEqual([delivery.queue, readBody(delivery)], [context.queue, 'this'])
      await context.expectNothing(connection, context.queue)
    },
  },
  {
    name: 'lets a short queue have its turn beside a long one in one fetch',
    async run(context) {
      const connection = await context.open()
      const short = context.name('short')
      await context.publish(connection, context.queue, ...Array.from({ length: 50 }, (_, index) => `long ${index}`))
      await context.publish(connection, short, 'short 0', 'short 1')
      const queues = (await context.take(connection, [context.queue, short], 10)).map((delivery) => delivery.queue)
      assert.ok(queues.includes(short), `ten messages, and all from the first queue: ${queues.join(' ')}`)
    },
  },
  {
    name: 'lets every queue have its turn when messages are fetched one by one',
    async run(context) {
      const connection = await context.open()
      const names = [context.queue, context.name('second'), context.name('third')]
      for (const name of names) await context.publish(connection, name, '1', '2', '3', '4', '5', '6')
      const served: string[] = []
      for (let count = 0; count < 6; count++)
        served.push(...(await context.take(connection, names, 1)).map((d) => d.queue))
      assert.deepEqual([...new Set(served)].sort(), [...names].sort())
    },
  },
  {
    name: 'delivers the more urgent priority first',
    needs: ({ priorities }) => priorities > 1,
    async run(context) {
      const connection = await context.open()
      await connection.publish(
        [0, 9, 5].map((priority) =>
          publication(context.queue, '', { message: textMessage(`${priority}`, { priority }) }),
        ),
      )
      const highestFirst = context.capabilities.priorityOrder === 'highest-first'
      await context.expectMessages(connection, context.queue, highestFirst ? ['9', '5', '0'] : ['0', '5', '9'])
    },
  },
  {
    name: 'delivers a more urgent message before those that waited longer',
    needs: ({ priorities }) => priorities > 1,
    async run(context) {
      const connection = await context.open()
      const highestFirst = context.capabilities.priorityOrder === 'highest-first'
      const [urgent, later] = highestFirst ? [9, 0] : [0, 9]
      const message = (body: string, priority: number) =>
        publication(context.queue, '', { message: textMessage(body, { priority }) })
      await connection.publish([message('later 1', later), message('later 2', later)])
      assert.equal(readBody(await context.takeOne(connection, context.queue)), 'later 1')
      await connection.publish([message('urgent', urgent)])
      await context.expectMessages(connection, context.queue, ['urgent', 'later 2'])
    },
  },
  {
    name: 'keeps the order among messages of one priority',
    needs: ({ priorities }) => priorities > 1,
    async run(context) {
      const connection = await context.open()
      const bodies = Array.from({ length: 20 }, (_, index) => String(index))
      await connection.publish(
        bodies.map((body) => publication(context.queue, '', { message: textMessage(body, { priority: 6 }) })),
      )
      await context.expectMessages(connection, context.queue, bodies)
    },
  },
  {
    name: 'treats a message without priority as one of priority 0',
    needs: ({ priorities }) => priorities > 1,
    async run(context) {
      const connection = await context.open()
      await connection.publish([
        publication(context.queue, 'none 1'),
        publication(context.queue, '', { message: textMessage('zero', { priority: 0 }) }),
        publication(context.queue, 'none 2'),
      ])
      await context.expectMessages(connection, context.queue, ['none 1', 'zero', 'none 2'])
    },
  },
  {
    name: 'takes a publication in once when it is repeated under its tag',
    needs: ({ leases, repeats }) => leases && repeats !== 'unconfirmed',
    async run(context) {
      const connection = await context.open()
      const repeated = publication(context.queue, 'once', { tag: context.name('tag') })
      await connection.publish([repeated])
      await connection.publish([repeated])
      await (await context.open()).publish([repeated, publication(context.queue, 'another')])
      await context.expectMessages(connection, context.queue, ['once', 'another'])
    },
  },
  {
    name: 'takes a repeated publication in once also while its message is held',
    needs: ({ leases, repeats }) => leases && repeats !== 'unconfirmed',
    async run(context) {
      const connection = await context.open()
      const repeated = publication(context.queue, 'once', { tag: context.name('tag') })
      await connection.publish([repeated])
      const delivery = await context.takeOne(connection, context.queue)
      await connection.publish([repeated])
      await context.expectNothing(connection, context.queue)
      await context.settle(connection, [delivery])
    },
  },
  {
    name: 'takes equal messages in as often as they are published',
    async run(context) {
      const connection = await context.open()
      const message = publication(context.queue, 'same')
      await connection.publish([message, message])
      await connection.publish([message])
      const deliveries = await context.take(connection, context.queue, 3)
      assert.equal(new Set(deliveries.map(({ tag }) => tag)).size, 3)
    },
  },
]
