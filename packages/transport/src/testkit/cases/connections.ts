import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BrokerConnection } from '../../broker-connection.ts'
import { publication } from '../case-context.ts'
import { readBody } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

const operations: readonly {
  readonly name: string
  readonly run: (connection: BrokerConnection, queue: string) => Promise<unknown>
}[] = [
  { name: 'publish', run: (connection, queue) => connection.publish([publication(queue, 'a')]) },
  {
    name: 'fetch',
    run: (connection, queue) => connection.fetch([queue], { max: 1, signal: new AbortController().signal }),
  },
  { name: 'settle', run: (connection, queue) => connection.settle([{ delivery: { queue, tag: 'tag', fence: 1 } }]) },
  { name: 'renew', run: (connection, queue) => connection.renew([{ queue, tag: 'tag', fence: 1 }]) },
  { name: 'declareQueue', run: (connection, queue) => connection.declareQueue({ name: queue }) },
  { name: 'declareExchange', run: (connection, queue) => connection.declareExchange({ name: queue, type: 'direct' }) },
  { name: 'purgeQueue', run: (connection, queue) => connection.purgeQueue(queue) },
  { name: 'deleteQueue', run: (connection, queue) => connection.deleteQueue(queue) },
]

/** How connections end, and what they leave behind. */
export const connectionCases: readonly TransportCase[] = [
  {
    name: 'gives what it holds back at once when it closes, in order and uncounted',
    async run(context) {
      const [owner, other] = [await context.open(), await context.open()]
      await context.publish(owner, context.queue, 'a', 'b', 'c')
      await context.take(owner, context.queue, 2)
      await context.soon(owner.close(), 'closing')
      const deliveries = await context.take(other, context.queue, 3)
      assert.deepEqual(deliveries.map(readBody), ['a', 'b', 'c'])
      assert.deepEqual(
        deliveries.map(({ redeliveries }) => redeliveries),
        [0, 0, 0],
      )
    },
  },
  {
    name: 'wakes a waiting fetch by what another connection gives back when it closes',
    async run(context) {
      const [owner, waiting] = [await context.open(), await context.open()]
      await context.publish(owner, context.queue, 'a')
      await context.takeOne(owner, context.queue)
      const fetching = context.takeOne(waiting, context.queue)
      await nextTurn()
      await owner.close()
      assert.equal(readBody(await fetching), 'a')
    },
  },
  {
    name: 'keeps what it settled when it closes',
    async run(context) {
      const [owner, other] = [await context.open(), await context.open()]
      await context.publish(owner, context.queue, 'ended', 'held')
      const [ended] = await context.take(owner, context.queue, 2)
      assert.ok(ended)
      await context.settle(owner, [ended])
      await owner.close()
      await context.expectMessages(other, context.queue, ['held'])
    },
  },
  {
    name: 'gives back nothing that another connection holds when it closes',
    async run(context) {
      const [one, other] = [await context.open(), await context.open()]
      await context.publish(one, context.queue, 'a', 'b')
      await context.takeOne(one, context.queue)
      const kept = await context.takeOne(other, context.queue)
      await one.close()
      assert.deepEqual(await context.info(other, context.queue), { ready: 1, delayed: 0, held: 1 })
      await context.settle(other, [kept])
    },
  },
  {
    name: 'calls a delivery of a closed connection stale',
    needs: ({ leases }) => leases,
    async run(context) {
      const [owner, other] = [await context.open(), await context.open()]
      await context.publish(owner, context.queue, 'a')
      const delivery = await context.takeOne(owner, context.queue)
      await owner.close()
      assert.deepEqual(await other.settle([{ delivery }]), ['stale'])
      await context.expectMessages(other, context.queue, ['a'])
    },
  },
  {
    name: 'closes while a fetch waits, and rejects the fetch',
    async run(context) {
      const [connection, other] = [await context.open(), await context.open()]
      const fetching = connection.fetch([context.queue], { max: 1, signal: new AbortController().signal })
      const outcome = fetching.then(
        () => assert.fail('a fetch on a closed connection resolved'),
        (error: unknown) => error,
      )
      await nextTurn()
      await context.soon(connection.close(), 'closing')
      const error = (await context.soon(outcome, 'the fetch on the closed connection')) as { code?: string }
      assert.equal(error.code, 'ERR_CELERY_CONNECTION_CLOSED')
      await context.publish(other, context.queue, 'a')
      await context.expectMessages(other, context.queue, ['a'])
    },
  },
  {
    name: 'hands nothing out any more once it is being closed, but gives it back',
    async run(context) {
      const publisher = await context.open()
      for (let round = 0; round < 10; round++) {
        const connection = await context.open()
        let isClosing = false
        const fetching = connection.fetch([context.queue], { max: 1, signal: new AbortController().signal }).then(
          () => isClosing,
          () => false,
        )
        await nextTurn()
        await context.publish(publisher, context.queue, 'a')
        // It has the message, which need not have come to whoever waits for it.
        while ((await context.info(publisher, context.queue)).ready > 0) await nextTurn()
        if (round % 2 === 0) await nextTurn()
        isClosing = true
        await context.soon(connection.close(), 'closing')
        assert.equal(await context.soon(fetching, 'the fetch'), false, 'handed out what it gives back')
        await context.expectMessages(publisher, context.queue, ['a'])
      }
    },
  },
  {
    name: 'closes twice and at the same time as once',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      await context.takeOne(connection, context.queue)
      await context.soon(Promise.all([connection.close(), connection.close()]), 'closing twice')
      await context.soon(connection.close(), 'closing again')
      await context.expectMessages(await context.open(), context.queue, ['a'])
    },
  },
  {
    name: 'resolves `closed` when it is closed, and not before',
    async run(context) {
      const connection = await context.open()
      let isClosed = false
      const watching = connection.closed.then(() => {
        isClosed = true
      })
      await context.publish(connection, context.queue, 'a')
      assert.equal(isClosed, false)
      await connection.close()
      await context.soon(watching, 'closed')
    },
  },
  {
    name: 'closes when it is disposed of',
    async run(context) {
      const connection = await context.open()
      await connection[Symbol.asyncDispose]()
      await context.soon(connection.closed, 'closed')
      await assert.rejects(context.publish(connection, context.queue, 'a'), { code: 'ERR_CELERY_CONNECTION_CLOSED' })
    },
  },
  {
    name: 'leaves other connections working when it closes',
    async run(context) {
      const [one, other] = [await context.open(), await context.open()]
      const fetching = context.takeOne(other, context.queue)
      await one.close()
      await context.publish(other, context.queue, 'a')
      await context.settle(other, [await fetching])
    },
  },
  ...operations.map(
    ({ name, run }): TransportCase => ({
      name: `rejects ${name} on a closed connection with a named error`,
      async run(context) {
        const connection = await context.open()
        await connection.close()
        await assert.rejects(context.soon(run(connection, context.queue), name), {
          code: 'ERR_CELERY_CONNECTION_CLOSED',
        })
      },
    }),
  ),
  {
    name: 'publishes nothing when the signal has aborted already',
    async run(context) {
      const connection = await context.open()
      const reason = new Error('not wanted')
      const publishing = connection.publish([publication(context.queue, 'a')], { signal: AbortSignal.abort(reason) })
      await assert.rejects(publishing, (error) => error === reason)
      await context.expectNothing(connection, context.queue)
    },
  },
  {
    name: 'settles nothing when the signal has aborted already',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const delivery = await context.takeOne(connection, context.queue)
      const reason = new Error('not wanted')
      const settling = connection.settle([{ delivery }], { signal: AbortSignal.abort(reason) })
      await assert.rejects(settling, (error) => error === reason)
      await context.settle(connection, [delivery])
    },
  },
  {
    name: 'does nothing when there is nothing to do',
    async run(context) {
      const connection = await context.open()
      await connection.publish([])
      assert.deepEqual(await connection.settle([]), [])
      assert.deepEqual(await connection.renew([]), [])
    },
  },
  {
    name: 'names the transaction space it shares, or none',
    async run(context) {
      const [one, other] = [await context.open(), await context.open()]
      assert.equal(one.domain !== undefined, context.capabilities.transactions)
      assert.equal(one.domain, other.domain)
      assert.deepEqual(one.capabilities, context.capabilities)
    },
  },
]
