import assert from 'node:assert/strict'
import type { CaseContext } from '../case-context.ts'
import { readBody } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

/** What becomes of deliveries from one connection of a session to the next. */
export const sessionCases: readonly TransportCase[] = withSessions([
  {
    name: 'settles on the next connection of a session what the one before was delivered',
    async run(context) {
      const { delivery, next, other } = await reconnected(context)
      await context.expectNothing(other, context.queue)
      await context.settle(next, [delivery])
      await next.close()
      await context.expectNothing(other, context.queue)
    },
  },
  {
    name: 'requeues on the next connection of a session, in its place',
    async run(context) {
      const { delivery, next, other } = await reconnected(context)
      await context.publish(other, context.queue, 'b')
      await context.settle(next, [delivery], { type: 'requeue', counted: true })
      const deliveries = await context.take(other, context.queue, 2)
      assert.deepEqual(
        deliveries.map((each) => [readBody(each), each.redeliveries]),
        [
          ['a', 1],
          ['b', 0],
        ],
      )
    },
  },
  {
    name: 'goes on with a session on a connection that was there before the last one failed',
    async run(context) {
      const session = context.name('session')
      const [first, next] = [await context.open({ session }), await context.open({ session })]
      await context.publish(first, context.queue, 'a')
      const delivery = await context.takeOne(first, context.queue)
      await context.cut(first)
      await context.settle(next, [delivery])
    },
  },
  {
    name: 'renews on the next connection of a session',
    needs: ({ leases }) => leases,
    async run(context) {
      const leaseMs = context.leaseMs
      const { delivery, next, other } = await reconnected(context, leaseMs)
      for (let round = 0; round < 3; round++) {
        await context.elapse(0.6 * leaseMs)
        assert.deepEqual(await next.renew([delivery]), ['done'])
      }
      await context.expectNothing(other, context.queue)
      await context.settle(next, [delivery])
    },
  },
  {
    name: 'gives back all that a session holds when it ends, in order and uncounted',
    async run(context) {
      const session = context.name('session')
      const [first, other] = [await context.open({ session }), await context.open()]
      await context.publish(other, context.queue, 'a', 'b', 'c')
      await context.takeOne(first, context.queue)
      await context.cut(first)
      const next = await context.open({ session })
      await context.takeOne(next, context.queue)
      await context.soon(next.close(), 'closing')
      const deliveries = await context.take(other, context.queue, 3)
      assert.deepEqual(
        deliveries.map((each) => [readBody(each), each.redeliveries]),
        [
          ['a', 0],
          ['b', 0],
          ['c', 0],
        ],
      )
    },
  },
  {
    name: 'keeps sessions apart',
    async run(context) {
      const [one, other] = [
        await context.open({ session: context.name('one') }),
        await context.open({ session: context.name('other') }),
      ]
      await context.publish(one, context.queue, 'a')
      const delivery = await context.takeOne(one, context.queue)
      await other.close()
      await context.settle(one, [delivery])
    },
  },
  {
    name: 'hands over what a session holds that nobody goes on with',
    needs: ({ leases }) => leases,
    async run(context) {
      const leaseMs = context.leaseMs
      const session = context.name('session')
      const [first, other] = [await context.open({ leaseMs, session }), await context.open({ leaseMs })]
      await context.publish(other, context.queue, 'a')
      await context.takeOne(first, context.queue)
      await context.cut(first)
      await context.elapse(1.2 * leaseMs)
      const delivery = await context.takeOne(other, context.queue)
      assert.deepEqual([readBody(delivery), delivery.redeliveries], ['a', 1])
    },
  },
])

/** A delivery whose connection was lost, the next connection of its session, and one of somebody else. */
async function reconnected(context: CaseContext, leaseMs?: number) {
  const lease = leaseMs === undefined ? {} : { leaseMs }
  const session = context.name('session')
  const [first, other] = [await context.open({ ...lease, session }), await context.open(lease)]
  await context.publish(other, context.queue, 'a')
  const delivery = await context.takeOne(first, context.queue)
  await context.cut(first)
  return { delivery, next: await context.open({ ...lease, session }), other }
}

function withSessions(cases: readonly TransportCase[]): readonly TransportCase[] {
  return cases.map((testCase) => ({
    ...testCase,
    needs: (capabilities) => capabilities.sessions === true && testCase.needs?.(capabilities) !== false,
  }))
}
