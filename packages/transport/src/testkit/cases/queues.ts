import assert from 'node:assert/strict'
import { publication } from '../case-context.ts'
import type { TransportCase } from '../transport-case.ts'

/** Making, counting, emptying and removing queues. */
export const queueCases: readonly TransportCase[] = [
  {
    name: 'declares a queue as often as asked and keeps what is in it',
    async run(context) {
      const connection = await context.open()
      const { queue } = context
      assert.deepEqual(await connection.declareQueue({ name: queue }), { name: queue, ready: 0, delayed: 0, held: 0 })
      await context.publish(connection, queue, 'a', 'b')
      assert.deepEqual(await connection.declareQueue({ name: queue }), { name: queue, ready: 2, delayed: 0, held: 0 })
      await context.expectMessages(connection, queue, ['a', 'b'])
    },
  },
  {
    name: 'keeps a message for a queue nobody has declared',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      await context.expectMessages(await context.open(), context.queue, ['a'])
    },
  },
  {
    name: 'counts ready and held messages',
    async run(context) {
      const [connection, other] = [await context.open(), await context.open()]
      await context.publish(connection, context.queue, 'a', 'b', 'c', 'd')
      const deliveries = await context.take(connection, context.queue, 3)
      await context.settle(connection, deliveries.slice(0, 1))
      assert.deepEqual(await context.info(other, context.queue), { ready: 1, delayed: 0, held: 2 })
    },
  },
  {
    name: 'counts per queue',
    async run(context) {
      const connection = await context.open()
      const other = context.name('other')
      await context.publish(connection, context.queue, 'a')
      await context.publish(connection, other, 'b', 'c')
      assert.equal((await context.info(connection, context.queue)).ready, 1)
      assert.equal((await context.info(connection, other)).ready, 2)
    },
  },
  {
    name: 'purges what is ready, says how many that were, and leaves what is held',
    async run(context) {
      const [connection, other] = [await context.open(), await context.open()]
      await context.publish(connection, context.queue, 'a', 'b', 'c', 'd', 'e')
      const deliveries = await context.take(connection, context.queue, 2)
      assert.equal(await other.purgeQueue(context.queue), 3)
      assert.deepEqual(await context.info(other, context.queue), { ready: 0, delayed: 0, held: 2 })
      await context.settle(connection, deliveries)
      assert.equal(await other.purgeQueue(context.queue), 0)
    },
  },
  {
    name: 'leaves delayed messages when a queue is purged',
    needs: ({ delay }) => delay,
    async run(context) {
      const connection = await context.open()
      await context.delay(connection, context.queue, 'later', context.now() + 60_000)
      await context.publish(connection, context.queue, 'now')
      assert.equal(await connection.purgeQueue(context.queue), 1)
      assert.deepEqual(await context.info(connection, context.queue), { ready: 0, delayed: 1, held: 0 })
    },
  },
  {
    name: 'purges one queue and no other',
    async run(context) {
      const connection = await context.open()
      const other = context.name('other')
      await context.publish(connection, context.queue, 'a')
      await context.publish(connection, other, 'b')
      assert.equal(await connection.purgeQueue(context.queue), 1)
      await context.expectMessages(connection, other, ['b'])
    },
  },
  {
    name: 'takes a message in again after its tag was purged',
    needs: ({ leases }) => leases,
    async run(context) {
      const connection = await context.open()
      const tagged = publication(context.queue, 'a', { tag: context.name('tag') })
      await connection.publish([tagged])
      await connection.purgeQueue(context.queue)
      await connection.publish([tagged])
      await context.expectMessages(connection, context.queue, ['a'])
    },
  },
  {
    name: 'finds nothing to purge or delete where there is no queue',
    async run(context) {
      const connection = await context.open()
      assert.equal(await connection.purgeQueue(context.queue), 0)
      assert.equal(await connection.deleteQueue(context.queue), 0)
    },
  },
  {
    name: 'deletes a queue with its messages and says how many were ready',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a', 'b', 'c')
      await context.takeOne(connection, context.queue)
      assert.equal(await connection.deleteQueue(context.queue), 2)
      assert.deepEqual(await context.info(connection, context.queue), { ready: 0, delayed: 0, held: 0 })
      await context.expectNothing(connection, context.queue)
    },
  },
  {
    name: 'deletes the bindings of a queue with it',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      await connection.declareQueue({ name: context.queue })
      await connection.bindQueue({ queue: context.queue, exchange, routingKey: 'key' })
      await connection.deleteQueue(context.queue)
      const { message } = publication(context.queue, 'a')
      await assert.rejects(connection.publish([{ exchange, routingKey: 'key', message, mandatory: true }]), {
        code: 'ERR_CELERY_UNROUTABLE',
      })
    },
  },
  {
    name: 'removes an exclusive queue with the connection that declared it',
    async run(context) {
      const [owner, other] = [await context.open(), await context.open()]
      await owner.declareQueue({ name: context.queue, exclusive: true })
      await context.publish(owner, context.queue, 'a')
      await owner.close()
      assert.equal((await context.info(other, context.queue)).ready, 0)
    },
  },
  {
    name: 'removes an auto-delete queue with the last connection that fetched from it',
    async run(context) {
      const [one, two, other] = [await context.open(), await context.open(), await context.open()]
      await one.declareQueue({ name: context.queue, autoDelete: true })
      for (const connection of [one, two]) {
        await context.publish(other, context.queue, 'a')
        await context.settle(connection, [await context.takeOne(connection, context.queue)])
      }
      await context.publish(other, context.queue, 'b')
      await one.close()
      assert.equal((await context.info(other, context.queue)).ready, 1)
      await two.close()
      assert.equal((await context.info(other, context.queue)).ready, 0)
    },
  },
  {
    name: 'drops messages older than the time to live of their queue',
    async run(context) {
      const connection = await context.open()
      await connection.declareQueue({ name: context.queue, messageTtlMs: 3_000 })
      await context.publish(connection, context.queue, 'old 1', 'old 2')
      await context.elapse(3_100)
      await context.publish(connection, context.queue, 'new')
      await context.expectMessages(connection, context.queue, ['new'])
    },
  },
  {
    name: 'removes a queue with its bindings when nobody has used it for its time',
    async run(context) {
      const [connection, other] = [await context.open(), await context.open()]
      const exchange = await context.exchange(connection, 'direct')
      await connection.declareQueue({ name: context.queue, expiresMs: 2_000 })
      await connection.bindQueue({ queue: context.queue, exchange, routingKey: 'key' })
      const { message } = publication(context.queue, 'a')
      await other.publish([{ exchange, routingKey: 'key', message, mandatory: true }])
      await context.elapse(2_200)
      await assert.rejects(other.publish([{ exchange, routingKey: 'key', message, mandatory: true }]), {
        code: 'ERR_CELERY_UNROUTABLE',
      })
      assert.equal((await context.info(other, context.queue)).ready, 0)
    },
  },
]
