import assert from 'node:assert/strict'
import { deadLetterQueue } from '../../broker-connection.ts'
import { publication, textMessage } from '../case-context.ts'
import { readBody } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

/** What is still there after every program that used the broker has ended. */
export const durabilityCases: readonly TransportCase[] = withDurability([
  {
    name: 'keeps messages while no connection is open',
    async run(context) {
      await context.publish(await context.open(), context.queue, 'a', 'b', 'c')
      await context.closeAll()
      await context.expectMessages(await context.open(), context.queue, ['a', 'b', 'c'])
    },
  },
  {
    name: 'keeps what was acknowledged ended',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a', 'b')
      await context.settle(connection, [await context.takeOne(connection, context.queue)])
      await context.closeAll()
      await context.expectMessages(await context.open(), context.queue, ['b'])
    },
  },
  {
    name: 'keeps the priorities of messages while no connection is open',
    needs: ({ priorities }) => priorities > 1,
    async run(context) {
      const connection = await context.open()
      await connection.publish(
        [0, 9].map((priority) => publication(context.queue, '', { message: textMessage(`${priority}`, { priority }) })),
      )
      await context.closeAll()
      const highestFirst = context.capabilities.priorityOrder === 'highest-first'
      await context.expectMessages(await context.open(), context.queue, highestFirst ? ['9', '0'] : ['0', '9'])
    },
  },
  {
    name: 'keeps delayed messages while no connection is open',
    needs: ({ delay }) => delay,
    async run(context) {
      const connection = await context.open()
      await context.delay(connection, context.queue, 'a', context.now() + 3_000)
      await context.closeAll()
      const again = await context.open()
      await context.expectNothing(again, context.queue)
      await context.elapse(3_100)
      await context.expectMessages(again, context.queue, ['a'])
    },
  },
  {
    name: 'keeps exchanges and bindings while no connection is open',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      await connection.declareQueue({ name: context.queue })
      await connection.bindQueue({ queue: context.queue, exchange, routingKey: 'key' })
      await context.closeAll()
      const again = await context.open()
      await again.publish([{ exchange, routingKey: 'key', message: textMessage('a') }])
      await context.expectMessages(again, context.queue, ['a'])
    },
  },
  {
    name: 'keeps dead letters and their reasons while no connection is open',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      await context.settle(connection, [delivery], { type: 'dead', reason: 'bad' })
      await context.closeAll()
      const dead = await context.takeOne(await context.open(), deadLetterQueue(context.queue))
      assert.deepEqual([readBody(dead), dead.deadReason], ['a', 'bad'])
    },
  },
  {
    name: 'keeps the count of redeliveries while no connection is open',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      await context.settle(connection, [delivery], { type: 'requeue', counted: true })
      await context.closeAll()
      assert.equal((await context.takeOne(await context.open(), context.queue)).redeliveries, 1)
    },
  },
  {
    name: 'keeps refusing stale owners after every connection was closed',
    needs: ({ leases }) => leases,
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const stale = await context.takeOne(connection, context.queue)
      await context.closeAll()
      const again = await context.open()
      const delivery = await context.takeOne(again, context.queue)
      assert.deepEqual(await again.settle([{ delivery: stale }, { delivery }]), ['stale', 'done'])
    },
  },
])

function withDurability(cases: readonly TransportCase[]): readonly TransportCase[] {
  return cases.map((testCase) => ({
    ...testCase,
    needs: (capabilities) => capabilities.durable && testCase.needs?.(capabilities) !== false,
  }))
}
