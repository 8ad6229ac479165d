import assert from 'node:assert/strict'
import type { BrokerConnection, Delivery, SettleAction } from '../../broker-connection.ts'
import { deadLetterQueue } from '../../broker-connection.ts'
import { type CaseContext, publication } from '../case-context.ts'
import { readBody } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

/** What becomes of deliveries whose owner is gone, slow, or back from the dead. */
export const leaseCases: readonly TransportCase[] = withLeases([
  {
    name: 'hands a message over when its owner does not renew the lease',
    async run(context) {
      const { taker, taken } = await takenOver(context)
      assert.equal(readBody(taken), 'a')
      assert.equal(taken.redeliveries, 1)
      await context.settle(taker, [taken])
    },
  },
  {
    name: 'loses nothing that a crashed owner held',
    async run(context) {
      const leaseMs = context.leaseMs
      const [owner, taker] = [await context.open({ leaseMs }), await context.open({ leaseMs })]
      await context.publish(taker, context.queue, 'a', 'b', 'c', 'd', 'e')
      await context.take(owner, context.queue, 4)
      await context.crash(owner)
      await context.elapse(1.2 * leaseMs)
      await context.expectMessages(taker, context.queue, ['a', 'b', 'c', 'd', 'e'])
    },
  },
  {
    name: 'hands nothing over while the lease lasts',
    async run(context) {
      const leaseMs = context.leaseMs
      const [owner, taker] = [await context.open({ leaseMs }), await context.open({ leaseMs })]
      await context.publish(owner, context.queue, 'a')
      const delivery = await context.takeOne(owner, context.queue)
      await context.elapse(0.4 * leaseMs)
      await context.expectNothing(taker, context.queue)
      await context.settle(owner, [delivery])
    },
  },
  {
    name: 'extends the lease of a delivery that is renewed',
    async run(context) {
      const leaseMs = context.leaseMs
      const [owner, taker] = [await context.open({ leaseMs }), await context.open({ leaseMs })]
      await context.publish(owner, context.queue, 'a')
      const delivery = await context.takeOne(owner, context.queue)
      for (let round = 0; round < 3; round++) {
        await context.elapse(0.6 * leaseMs)
        assert.deepEqual(await owner.renew([delivery]), ['done'])
        await context.expectNothing(taker, context.queue)
      }
      await context.settle(owner, [delivery])
    },
  },
  {
    name: 'hands a message over when its owner stops renewing',
    async run(context) {
      const leaseMs = context.leaseMs
      const [owner, taker] = [await context.open({ leaseMs }), await context.open({ leaseMs })]
      await context.publish(owner, context.queue, 'a')
      const delivery = await context.takeOne(owner, context.queue)
      await context.elapse(0.5 * leaseMs)
      assert.deepEqual(await owner.renew([delivery]), ['done'])
      await context.elapse(1.2 * leaseMs)
      await context.expectMessages(taker, context.queue, ['a'])
    },
  },
  {
    name: 'says that a renewal is stale, and takes nothing from the new owner',
    async run(context) {
      const { owner, stale, taker, taken } = await takenOver(context)
      assert.deepEqual(await owner.renew([stale]), ['stale'])
      await context.settle(taker, [taken])
    },
  },
  {
    name: 'renews the rest of a batch in which some are stale, and says which',
    async run(context) {
      const connection = await context.open({ leaseMs: context.leaseMs })
      await context.publish(connection, context.queue, 'a', 'b', 'c')
      const deliveries = await context.take(connection, context.queue, 3)
      await context.settle(connection, deliveries.slice(1, 2))
      assert.deepEqual(await connection.renew(deliveries), ['done', 'stale', 'done'])
    },
  },
  ...staleActions().map(
    ({ name, action }): TransportCase => ({
      name: `refuses ${name} by an owner that was taken over from`,
      async run(context) {
        const { owner, stale, taker, taken } = await takenOver(context)
        assert.deepEqual(await owner.settle([{ delivery: stale, action: action(context) }]), ['stale'])
        assert.deepEqual(await context.info(taker, context.queue), { ready: 0, delayed: 0, held: 1 })
        await context.expectNothing(taker, deadLetterQueue(context.queue))
        await context.settle(taker, [taken])
      },
    }),
  ),
  {
    name: 'publishes no follow-up of an owner that was taken over from',
    async run(context) {
      const { owner, stale, taker, taken } = await takenOver(context)
      const target = context.name('target')
      assert.deepEqual(await owner.settle([{ delivery: stale, publish: [publication(target, 'late')] }]), ['stale'])
      await context.expectNothing(taker, target)
      assert.deepEqual(await taker.settle([{ delivery: taken, publish: [publication(target, 'good')] }]), ['done'])
      await context.expectMessages(taker, target, ['good'])
    },
  },
  {
    name: 'refuses an owner that was taken over from also after the new one has settled',
    async run(context) {
      const { owner, stale, taker, taken } = await takenOver(context)
      await context.settle(taker, [taken])
      assert.deepEqual(await owner.settle([{ delivery: stale, action: { type: 'requeue', counted: true } }]), ['stale'])
      await context.expectNothing(taker, context.queue)
    },
  },
  {
    name: 'counts every owner that was lost',
    async run(context) {
      const leaseMs = context.leaseMs
      const connection = await context.open({ leaseMs })
      await context.publish(connection, context.queue, 'a')
      for (let lost = 0; lost < 3; lost++) {
        assert.equal((await context.takeOne(connection, context.queue)).redeliveries, lost)
        await context.elapse(1.2 * leaseMs)
      }
    },
  },
  {
    name: 'puts a message whose owner was lost back to its place',
    async run(context) {
      const leaseMs = context.leaseMs
      const [owner, taker] = [await context.open({ leaseMs }), await context.open({ leaseMs })]
      await context.publish(owner, context.queue, 'a')
      await context.takeOne(owner, context.queue)
      await context.publish(owner, context.queue, 'b')
      await context.elapse(1.2 * leaseMs)
      await context.expectMessages(taker, context.queue, ['a', 'b'])
    },
  },
  {
    name: 'gives a waiting fetch what a lost owner held',
    async run(context) {
      const [owner, taker] = [await context.open({ leaseMs: 300 }), await context.open()]
      await context.publish(taker, context.queue, 'a')
      await context.takeOne(owner, context.queue)
      await context.crash(owner)
      const taken = await context.takeOne(taker, context.queue)
      assert.deepEqual([readBody(taken), taken.redeliveries], ['a', 1])
    },
  },
  {
    name: 'shows a message whose owner was lost as ready',
    async run(context) {
      const leaseMs = context.leaseMs
      const [owner, other] = [await context.open({ leaseMs }), await context.open({ leaseMs })]
      await context.publish(owner, context.queue, 'a')
      await context.takeOne(owner, context.queue)
      await context.crash(owner)
      await context.elapse(1.2 * leaseMs)
      assert.deepEqual(await context.info(other, context.queue), { ready: 1, delayed: 0, held: 0 })
    },
  },
])

/** A message that one connection fetched and let go, and another one fetched after that. */
async function takenOver(context: CaseContext): Promise<{
  readonly owner: BrokerConnection
  readonly stale: Delivery
  readonly taker: BrokerConnection
  readonly taken: Delivery
}> {
  const leaseMs = context.leaseMs
  const [owner, taker] = [await context.open({ leaseMs }), await context.open({ leaseMs })]
  await context.publish(owner, context.queue, 'a')
  const stale = await context.takeOne(owner, context.queue)
  await context.elapse(1.2 * leaseMs)
  const taken = await context.takeOne(taker, context.queue)
  return { owner, stale, taker, taken }
}

function staleActions(): readonly { readonly name: string; readonly action: (context: CaseContext) => SettleAction }[] {
  return [
    { name: 'an acknowledgement', action: () => ({ type: 'ack' }) },
    { name: 'a requeue', action: () => ({ type: 'requeue', counted: true }) },
    { name: 'a dead letter', action: () => ({ type: 'dead', reason: 'late' }) },
    { name: 'parking', action: (context) => ({ type: 'park', untilMs: context.now() + 60_000 }) },
  ]
}

function withLeases(cases: readonly TransportCase[]): readonly TransportCase[] {
  return cases.map((testCase) => ({ ...testCase, needs: ({ leases }) => leases }))
}
