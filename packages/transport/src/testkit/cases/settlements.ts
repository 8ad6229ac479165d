import assert from 'node:assert/strict'
import { type DeliveryRef, deadLetterLimits, deadLetterQueue } from '../../broker-connection.ts'
import { publication, textMessage } from '../case-context.ts'
import { readBody } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

/** How deliveries end or go back, and what goes with that. */
export const settlementCases: readonly TransportCase[] = [
  {
    name: 'ends a message that is acknowledged',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      await context.settle(connection, [await context.takeOne(connection, context.queue)])
      await context.expectNothing(connection, context.queue)
      assert.deepEqual(await context.info(connection, context.queue), { ready: 0, delayed: 0, held: 0 })
    },
  },
  {
    name: 'acknowledges where a settlement names no action',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      assert.deepEqual(await connection.settle([{ delivery }]), ['done'])
      assert.deepEqual(await context.info(connection, context.queue), { ready: 0, delayed: 0, held: 0 })
    },
  },
  {
    name: 'says of a first delivery that it is none of the later ones',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      assert.equal((await context.takeOne(connection, context.queue)).redeliveries, 0)
    },
  },
  {
    name: 'puts a requeued message back to its place',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a', 'b', 'c')
      const [first] = await context.take(connection, context.queue, 2)
      await context.settle(connection, [first as DeliveryRef], { type: 'requeue', counted: false })
      assert.deepEqual((await context.take(connection, context.queue, 2)).map(readBody), ['a', 'c'])
    },
  },
  {
    name: 'keeps the order of messages that are requeued together',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a', 'b', 'c', 'd')
      const deliveries = await context.take(connection, context.queue, 3)
      await context.settle(connection, [...deliveries].reverse(), { type: 'requeue', counted: false })
      await context.expectMessages(connection, context.queue, ['a', 'b', 'c', 'd'])
    },
  },
  {
    name: 'keeps the priority of a requeued message',
    needs: ({ priorities }) => priorities > 1,
    async run(context) {
      const connection = await context.open()
      const urgent = context.capabilities.priorityOrder === 'highest-first' ? 9 : 0
      const message = (body: string, priority: number) =>
        publication(context.queue, '', { message: textMessage(body, { priority }) })
      await connection.publish([message('later', 9 - urgent), message('urgent', urgent)])
      const delivery = await context.takeOne(connection, context.queue)
      await context.settle(connection, [delivery], { type: 'requeue', counted: false })
      await context.expectMessages(connection, context.queue, ['urgent', 'later'])
    },
  },
  {
    name: 'counts a redelivery only where the requeue is to be counted',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const counts: number[] = []
      for (const counted of [false, true, false, true, true]) {
        const delivery = await context.takeOne(connection, context.queue)
        counts.push(delivery.redeliveries)
        await context.settle(connection, [delivery], { type: 'requeue', counted })
      }
      counts.push((await context.takeOne(connection, context.queue)).redeliveries)
      assert.deepEqual(counts, [0, 0, 1, 1, 2, 3])
    },
  },
  {
    name: 'moves a dead message into the dead-letter queue with the reason',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'good', 'bad')
      const deliveries = await context.take(connection, context.queue, 2)
      await context.settle(connection, deliveries.slice(1), { type: 'dead', reason: 'it isn\'t "JSON"; \n ü 💥' })
      const dead = await context.takeOne(connection, deadLetterQueue(context.queue))
      assert.equal(readBody(dead), 'bad')
      assert.equal(dead.deadReason, 'it isn\'t "JSON"; \n ü 💥')
      assert.deepEqual(await context.info(connection, context.queue), { ready: 0, delayed: 0, held: 1 })
    },
  },
  {
    name: 'keeps dead messages until they are settled there',
    async run(context) {
      const connection = await context.open()
      const deadQueue = deadLetterQueue(context.queue)
      await context.publish(connection, context.queue, 'a', 'b', 'c')
      await context.settle(connection, await context.take(connection, context.queue, 3), {
        type: 'dead',
        reason: 'why not',
      })
      assert.deepEqual(await context.info(connection, deadQueue), { ready: 3, delayed: 0, held: 0 })
      await context.expectMessages(connection, deadQueue, ['a', 'b', 'c'])
    },
  },
  {
    name: 'keeps the newest 10,000 dead letters, whatever their priority and however they came there',
    async run(context) {
      const connection = await context.open()
      const deadQueue = deadLetterQueue(context.queue)
      const { maxMessages } = deadLetterLimits
      const urgent = context.capabilities.priorityOrder === 'highest-first' ? 9 : 0
      await context.publish(connection, deadQueue, ...Array.from({ length: maxMessages }, (_, index) => String(index)))
      const last = publication(deadQueue, '', { message: textMessage('urgent', { priority: urgent }) })
      await connection.publish([last])
      assert.equal((await context.info(connection, deadQueue)).ready, maxMessages)
      await context.publish(connection, context.queue, 'buried')
      const delivery = await context.takeOne(connection, context.queue)
      await context.settle(connection, [delivery], { type: 'dead', reason: 'why not' })
      assert.equal((await context.info(connection, deadQueue)).ready, maxMessages)
      assert.equal(readBody(await context.takeOne(connection, deadQueue)), '2')
    },
  },
  {
    name: 'keeps dead letters for seven days, however they came there',
    // Nobody waits that long.
    needsClock: true,
    async run(context) {
      const connection = await context.open()
      const deadQueue = deadLetterQueue(context.queue)
      await context.publish(connection, deadQueue, 'published')
      await context.publish(connection, context.queue, 'buried')
      const delivery = await context.takeOne(connection, context.queue)
      await context.settle(connection, [delivery], { type: 'dead', reason: 'why not' })
      assert.equal((await context.info(connection, deadQueue)).ready, 2)
      await context.elapse(deadLetterLimits.messageTtlMs + 1_000)
      await context.expectNothing(connection, deadQueue)
    },
  },
  {
    name: 'gives no reason with a message that is not dead',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      assert.equal((await context.takeOne(connection, context.queue)).deadReason, undefined)
    },
  },
  {
    name: 'holds a parked message back until its time, uncounted',
    needs: ({ delay }) => delay,
    async run(context) {
      const connection = await context.open({ leaseMs: context.leaseMs })
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      await context.settle(connection, [delivery], { type: 'park', untilMs: context.now() + 2_000 })
      assert.deepEqual(await context.info(connection, context.queue), { ready: 0, delayed: 1, held: 0 })
      await context.expectNothing(connection, context.queue)
      await context.elapse(2_100)
      const again = await context.takeOne(connection, context.queue)
      assert.deepEqual([readBody(again), again.redeliveries], ['a', 0])
      assert.deepEqual(await connection.settle([{ delivery }]), ['stale'])
    },
  },
  {
    name: 'counts a parked message where that is asked for',
    needs: ({ delay }) => delay,
    async run(context) {
      const connection = await context.open({ leaseMs: context.leaseMs })
      await context.publish(connection, context.queue, 'a')
      for (const [index, waitMs] of [1_000, -1_000, 1_000].entries()) {
        const delivery = await context.takeOne(connection, context.queue)
        assert.equal(delivery.redeliveries, index)
        const untilMs = context.now() + waitMs
        await context.settle(connection, [delivery], { type: 'park', untilMs, counted: true })
        await context.elapse(1_100)
      }
      assert.equal((await context.takeOne(connection, context.queue)).redeliveries, 3)
    },
  },
  {
    name: 'delivers a message parked until a time gone by at once',
    needs: ({ delay }) => delay,
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      await context.settle(connection, [delivery], { type: 'park', untilMs: context.now() - 1_000 })
      await context.expectMessages(connection, context.queue, ['a'])
    },
  },
  {
    name: 'calls a repeated settlement stale',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      await context.settle(connection, [delivery])
      assert.deepEqual(await connection.settle([{ delivery }]), ['stale'])
      assert.deepEqual(await connection.settle([{ delivery, action: { type: 'requeue', counted: true } }]), ['stale'])
      assert.deepEqual(await connection.settle([{ delivery, action: { type: 'dead', reason: 'late' } }]), ['stale'])
      await context.expectNothing(connection, context.queue)
      await context.expectNothing(connection, deadLetterQueue(context.queue))
    },
  },
  {
    name: 'calls the second of two equal settlements in one call stale',
    async run(context) {
      const connection = await context.open()
      const target = context.name('target')
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      const settlement = { delivery, publish: [publication(target, 'follow-up')] }
      assert.deepEqual(await connection.settle([settlement, settlement]), ['done', 'stale'])
      await context.expectMessages(connection, target, ['follow-up'])
    },
  },
  {
    name: 'calls the settlement of a delivery stale once the message was requeued',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const first = await context.takeOne(connection, context.queue)
      await context.settle(connection, [first], { type: 'requeue', counted: false })
      assert.deepEqual(await connection.settle([{ delivery: first }]), ['stale'])
      const second = await context.takeOne(connection, context.queue)
      assert.deepEqual(await connection.settle([{ delivery: first }, { delivery: second }]), ['stale', 'done'])
    },
  },
  {
    name: 'calls a message that never was stale',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      const other: DeliveryRef = { queue: delivery.queue, tag: context.name('tag'), fence: delivery.fence }
      assert.deepEqual(await connection.settle([{ delivery: other }]), ['stale'])
      assert.deepEqual(await connection.renew([other, delivery]), ['stale', 'done'])
    },
  },
  {
    name: 'settles the rest of a batch in which some are stale, and says which',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a', 'b', 'c', 'd')
      const [a, b, c, d] = await context.take(connection, context.queue, 4)
      assert.ok(a && b && c && d)
      await context.settle(connection, [b, d])
      const batch = [a, b, c, d].map((delivery) => ({ delivery }))
      assert.deepEqual(await connection.settle(batch), ['done', 'stale', 'done', 'stale'])
      assert.deepEqual(await context.info(connection, context.queue), { ready: 0, delayed: 0, held: 0 })
    },
  },
  {
    name: 'does each settlement of a mixed batch by its own action',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'end', 'again', 'bad')
      const [end, again, bad] = await context.take(connection, context.queue, 3)
      assert.ok(end && again && bad)
      const results = await connection.settle([
        { delivery: end },
        { delivery: again, action: { type: 'requeue', counted: true } },
        { delivery: bad, action: { type: 'dead', reason: 'bad' } },
      ])
      assert.deepEqual(results, ['done', 'done', 'done'])
      await context.expectMessages(connection, context.queue, ['again'])
      await context.expectMessages(connection, deadLetterQueue(context.queue), ['bad'])
    },
  },
  {
    name: 'settles 500 deliveries in one call',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, ...Array.from({ length: 500 }, (_, index) => String(index)))
      await context.settle(connection, await context.take(connection, context.queue, 500))
      assert.deepEqual(await context.info(connection, context.queue), { ready: 0, delayed: 0, held: 0 })
    },
  },
  {
    name: 'settles from another connection of the same broker',
    needs: ({ leases }) => leases,
    async run(context) {
      const [one, other] = [await context.open(), await context.open()]
      await context.publish(one, context.queue, 'a')
      await context.settle(other, [await context.takeOne(one, context.queue)])
      assert.deepEqual(await context.info(one, context.queue), { ready: 0, delayed: 0, held: 0 })
    },
  },
  {
    name: 'publishes without a delivery to settle',
    async run(context) {
      const connection = await context.open()
      assert.deepEqual(await connection.settle([{ publish: [publication(context.queue, 'a')] }]), ['done'])
      await context.expectMessages(connection, context.queue, ['a'])
    },
  },
  {
    name: 'publishes follow-ups with a settlement that takes effect',
    async run(context) {
      const connection = await context.open()
      const target = context.name('target')
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      const publish = [publication(target, 'one'), publication(target, 'two')]
      assert.deepEqual(await connection.settle([{ delivery, publish }]), ['done'])
      await context.expectMessages(connection, target, ['one', 'two'])
    },
  },
  {
    name: 'publishes no follow-up of a stale settlement',
    async run(context) {
      const connection = await context.open()
      const target = context.name('target')
      await context.publish(connection, context.queue, 'a', 'b')
      const [a, b] = await context.take(connection, context.queue, 2)
      assert.ok(a && b)
      await context.settle(connection, [a])
      const results = await connection.settle([
        { delivery: a, publish: [publication(target, 'of the stale one')] },
        { delivery: b, publish: [publication(target, 'of the good one')] },
      ])
      assert.deepEqual(results, ['stale', 'done'])
      await context.expectMessages(connection, target, ['of the good one'])
    },
  },
  {
    name: 'publishes a follow-up into the queue the delivery came from',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'first try')
      const delivery = await context.takeOne(connection, context.queue)
      await connection.settle([{ delivery, publish: [publication(context.queue, 'second try')] }])
      await context.expectMessages(connection, context.queue, ['second try'])
    },
  },
  {
    name: 'routes follow-ups through their exchange',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      const target = context.name('target')
      await connection.declareQueue({ name: target })
      await connection.bindQueue({ queue: target, exchange, routingKey: 'key' })
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      const follow = { exchange, routingKey: 'key', message: textMessage('follow-up') }
      assert.deepEqual(await connection.settle([{ delivery, publish: [follow] }]), ['done'])
      await context.expectMessages(connection, target, ['follow-up'])
    },
  },
  {
    name: 'settles nothing of a batch with a follow-up that has nowhere to go, and says which it was',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a', 'b')
      const [a, b] = await context.take(connection, context.queue, 2)
      assert.ok(a && b)
      const nowhere = { exchange: context.name('undeclared'), routingKey: 'key', message: textMessage('lost') }
      await assert.rejects(connection.settle([{ delivery: a }, { delivery: b, publish: [nowhere] }]), {
        code: 'ERR_CELERY_UNKNOWN_EXCHANGE',
        index: 1,
      })
      assert.deepEqual(await connection.settle([{ delivery: a }, { delivery: b }]), ['done', 'done'])
    },
  },
  {
    name: 'refuses writes to a result store that is not in its transaction, settles nothing, and says which it was',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a', 'b')
      const [a, b] = await context.take(connection, context.queue, 2)
      assert.ok(a && b)
      const domain = context.name('elsewhere:')
      await assert.rejects(
        connection.settle([{ delivery: a }, { delivery: b, writes: [{ domain, statement: null }] }]),
        { code: 'ERR_CELERY_FOREIGN_WRITE', domain, index: 1 },
      )
      assert.deepEqual(await connection.settle([{ delivery: a }, { delivery: b }]), ['done', 'done'])
    },
  },
]
