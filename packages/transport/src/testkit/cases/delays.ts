import assert from 'node:assert/strict'
import { type BrokerConnection, delaysPublications } from '../../broker-connection.ts'
import type { CaseContext } from '../case-context.ts'
import { publication } from '../case-context.ts'
import { readBody } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

/** Messages that are held back until a time, by the broker and not by whoever will run them. */
export const delayCases: readonly TransportCase[] = [
  {
    name: 'delivers a publication at once whose time it leaves to whoever gets it',
    needs: (capabilities) => capabilities.delay && !delaysPublications(capabilities),
    async run(context) {
      const connection = await context.open()
      await connection.publish([later(context, 'a', 60_000)])
      const delivery = await context.takeOne(connection, context.queue)
      await context.settle(connection, [delivery], { type: 'park', untilMs: context.now() + 2_000 })
      await context.expectNothing(connection, context.queue)
      await context.elapse(2_100)
      await context.expectMessages(connection, context.queue, ['a'])
    },
  },
  ...withDelay([
    {
      name: 'delivers a delayed message not before its time',
      async run(context) {
        const connection = await context.open()
        await hold(context, connection, 'a', 5_000)
        await context.expectNothing(connection, context.queue)
        await context.elapse(2_000)
        await context.expectNothing(connection, context.queue)
      },
    },
    {
      name: 'delivers a delayed message when its time has come',
      async run(context) {
        const connection = await context.open()
        await hold(context, connection, 'a', 2_000)
        await context.elapse(2_100)
        await context.expectMessages(connection, context.queue, ['a'])
      },
    },
    {
      name: 'wakes a waiting fetch when the time of a delayed message has come',
      async run(context) {
        const connection = await context.open()
        const dueMs = context.now() + 300
        await context.delay(connection, context.queue, 'a', dueMs)
        assert.equal(readBody(await context.takeOne(connection, context.queue)), 'a')
        // A timer may fire a little before its time; the message must not come much before.
        assert.ok(context.now() >= dueMs - 50, 'it came before its time')
      },
    },
    {
      name: 'wakes a fetch that was waiting before the delayed message came',
      needs: delaysPublications,
      async run(context) {
        const [waiting, publisher] = [await context.open(), await context.open()]
        const fetching = context.takeOne(waiting, context.queue)
        await publisher.publish([later(context, 'a', 200)])
        assert.equal(readBody(await fetching), 'a')
      },
    },
    {
      name: 'delivers others while a delayed message waits',
      async run(context) {
        const connection = await context.open()
        await hold(context, connection, 'later', 60_000)
        await context.publish(connection, context.queue, 'now')
        await context.expectMessages(connection, context.queue, ['now'])
      },
    },
    {
      name: 'delivers delayed messages in the order of their times',
      async run(context) {
        const connection = await context.open()
        for (const [body, delayMs] of Object.entries({ third: 6_000, first: 2_000, second: 4_000 })) {
          await hold(context, connection, body, delayMs)
        }
        for (const body of ['first', 'second', 'third']) {
          await context.elapse(2_010)
          assert.equal(readBody(await context.takeOne(connection, context.queue)), body)
        }
      },
    },
    {
      name: 'delivers a message whose time has gone by at once',
      async run(context) {
        const connection = await context.open()
        await connection.publish([later(context, 'a', -5_000)])
        await context.expectMessages(connection, context.queue, ['a'])
      },
    },
    {
      name: 'counts delayed messages apart from ready ones',
      async run(context) {
        const connection = await context.open()
        await hold(context, connection, 'later', 60_000)
        await context.publish(connection, context.queue, 'now')
        assert.deepEqual(await context.info(connection, context.queue), { ready: 1, delayed: 1, held: 0 })
      },
    },
    {
      name: 'delays a message longer than a lease without redelivering it',
      needs: ({ leases }) => leases,
      async run(context) {
        const leaseMs = context.leaseMs / 3
        const [one, other] = [await context.open({ leaseMs }), await context.open({ leaseMs })]
        await hold(context, one, 'a', 3 * leaseMs)
        await context.elapse(1.5 * leaseMs)
        await context.expectNothing(other, context.queue)
        await context.elapse(1.6 * leaseMs)
        const delivery = await context.takeOne(other, context.queue)
        assert.deepEqual([readBody(delivery), delivery.redeliveries], ['a', 0])
        await context.settle(other, [delivery])
        await context.expectNothing(one, context.queue)
      },
    },
    {
      name: 'keeps a delayed message when the connection that published it closes',
      async run(context) {
        const [publisher, other] = [await context.open(), await context.open()]
        await hold(context, publisher, 'a', 1_000)
        await publisher.close()
        await context.elapse(1_100)
        await context.expectMessages(other, context.queue, ['a'])
      },
    },
    {
      name: 'delays a follow-up of a settlement',
      needs: delaysPublications,
      async run(context) {
        const connection = await context.open()
        await context.publish(connection, context.queue, 'a')
        const delivery = await context.takeOne(connection, context.queue)
        assert.deepEqual(await connection.settle([{ delivery, publish: [later(context, 'retry', 2_000)] }]), ['done'])
        await context.expectNothing(connection, context.queue)
        await context.elapse(2_100)
        await context.expectMessages(connection, context.queue, ['retry'])
      },
    },
  ]),
]

/** A message that is held back, in a queue where nothing else is ready. */
function hold(context: CaseContext, connection: BrokerConnection, body: string, delayMs: number): Promise<void> {
  return context.delay(connection, context.queue, body, context.now() + delayMs)
}

function later(context: CaseContext, body: string, delayMs: number) {
  return publication(context.queue, body, { notBeforeMs: context.now() + delayMs })
}

function withDelay(cases: readonly TransportCase[]): readonly TransportCase[] {
  return cases.map((testCase) => ({
    ...testCase,
    needs: (capabilities) => capabilities.delay && testCase.needs?.(capabilities) !== false,
  }))
}
