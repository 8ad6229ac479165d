import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BrokerConnection, Delivery, Publication } from '../../broker-connection.ts'
import { type CaseContext, publication, textMessage } from '../case-context.ts'
import { readBody } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

/** Fanout exchanges that reach whoever listens, and nobody else. */
export const liveFanoutCases: readonly TransportCase[] = withLiveFanout([
  {
    name: 'hands a live message to every queue that listens, in order',
    async run(context) {
      const { exchange, listeners, publisher } = await listening(context, ['', ''])
      await publisher.publish([through(exchange, '', 'a'), through(exchange, '', 'b')])
      await publisher.publish([through(exchange, '', 'c')])
      for (const { connection, queue } of listeners) await context.expectMessages(connection, queue, ['a', 'b', 'c'])
    },
  },
  {
    name: 'hands a live message to those whose key matches it, `#` standing for anything',
    async run(context) {
      const keys = ['', 'worker.#', 'worker.online', '#', 'task.#.end']
      const { exchange, listeners, publisher } = await listening(context, keys)
      const sent = ['worker.online', 'worker.a.b', 'task.sent', 'task.x.end', 'workerxonline']
      await publisher.publish(sent.map((key) => through(exchange, key, key)))
      const expected = [[], ['worker.online', 'worker.a.b'], ['worker.online'], sent, ['task.x.end']]
      for (const [index, { connection, queue }] of listeners.entries()) {
        await context.expectMessages(connection, queue, expected[index] ?? [])
      }
    },
  },
  {
    name: 'takes the characters of names and keys as they are, whatever they mean to its broker',
    async run(context) {
      const publisher = await context.open()
      const connection = await context.open()
      const odd = ['a?c', '[ab]', 'a\\b', '^', 'ключ 💥', 'a/b', '.', '{x}']
      for (const text of odd) {
        const exchange = context.name(`live ${text}`)
        const queue = context.name(`queue ${text}`)
        await publisher.declareExchange({ name: exchange, type: 'fanout' })
        await connection.declareQueue({ name: queue })
        await connection.bindQueue({ queue, exchange, routingKey: text })
        await publisher.publish([through(exchange, 'abc', 'not this'), through(exchange, text, text)])
        await context.expectMessages(connection, queue, [text])
      }
    },
  },
  {
    name: 'hands out nothing of its other queues once it is being closed, but gives it back',
    async run(context) {
      const publisher = await context.open()
      const exchange = await context.exchange(publisher, 'fanout')
      for (let round = 0; round < 5; round++) {
        const connection = await context.open()
        // Many, so that closing takes a while.
        for (let listener = 0; listener < 8; listener++) {
          const queue = context.name(`listener-${listener}`)
          await connection.declareQueue({ name: queue })
          await connection.bindQueue({ queue, exchange, routingKey: '' })
        }
        const fetching = connection.fetch([context.queue], { max: 1, signal: new AbortController().signal }).then(
          () => 'handed out',
          (error: { code?: string }) => error.code,
        )
        await nextTurn()
        const closing = connection.close()
        await context.publish(publisher, context.queue, 'a')
        assert.equal(await context.soon(fetching, 'the fetch'), 'ERR_CELERY_CONNECTION_CLOSED')
        await context.soon(closing, 'closing')
        await context.expectMessages(publisher, context.queue, ['a'])
      }
    },
  },
  {
    name: 'keeps no live message for those who come later',
    async run(context) {
      const { exchange, publisher } = await listening(context, [''])
      await publisher.publish([through(exchange, '', 'before')])
      const late = await listen(context, exchange, '')
      await publisher.publish([through(exchange, '', 'after')])
      await context.expectMessages(late.connection, late.queue, ['after'])
    },
  },
  {
    name: 'hands a live message once to a queue that is bound twice',
    async run(context) {
      const { exchange, listeners, publisher } = await listening(context, ['a.#'])
      const [{ connection, queue }] = listeners as [Listener]
      for (const routingKey of ['#', 'a.b', 'a.#']) await connection.bindQueue({ queue, exchange, routingKey })
      await publisher.publish([through(exchange, 'a.b', 'once'), through(exchange, 'x', 'too')])
      await context.expectMessages(connection, queue, ['once', 'too'])
    },
  },
  {
    name: 'wakes a fetch that waits for a live message and for a stored one, by whichever comes',
    async run(context) {
      const { exchange, listeners, publisher } = await listening(context, [''])
      const [{ connection, queue }] = listeners as [Listener]
      const both = [context.queue, queue]
      const first = context.take(connection, both)
      await nextTurn()
      await publisher.publish([through(exchange, '', 'live')])
      assert.deepEqual((await first).map(readBody), ['live'])
      const second = context.take(connection, both)
      await nextTurn()
      await context.publish(publisher, context.queue, 'stored')
      assert.deepEqual((await second).map(readBody), ['stored'])
    },
  },
  {
    name: 'delivers stored messages beside as many live ones as are fetched',
    async run(context) {
      const { exchange, listeners, publisher } = await listening(context, [''])
      const [{ connection, queue }] = listeners as [Listener]
      await context.publish(publisher, context.queue, 'stored')
      const bodies: string[] = []
      while (!bodies.includes('stored')) {
        assert.ok(bodies.length < 1_000, 'live messages keep the stored one away')
        await publisher.publish([through(exchange, '', 'live')])
        const deliveries = await context.fetch(connection, [context.queue, queue], 1)
        bodies.push(...deliveries.map(readBody))
        await context.settle(connection, deliveries)
      }
    },
  },
  {
    name: 'gives a live message again that is requeued, and counts as it is told',
    async run(context) {
      const { exchange, listeners, publisher } = await listening(context, [''])
      const [{ connection, queue }] = listeners as [Listener]
      await publisher.publish([through(exchange, '', 'a'), through(exchange, '', 'b')])
      const first = await context.takeOne(connection, queue)
      await context.settle(connection, [first], { type: 'requeue', counted: true })
      const [again, next] = await context.take(connection, queue, 2)
      assert.ok(again && next)
      assert.deepEqual([readBody(again), again.redeliveries, readBody(next)], ['a', 1, 'b'])
      await context.settle(connection, [again, next])
    },
  },
  {
    name: 'renews and acknowledges live messages, also on another connection',
    async run(context) {
      const { exchange, listeners, publisher } = await listening(context, [''])
      const [{ connection, queue }] = listeners as [Listener]
      await publisher.publish([through(exchange, '', 'a')])
      const delivery = await context.takeOne(connection, queue)
      await context.publish(publisher, context.queue, 'stored')
      const stored = await context.takeOne(publisher, context.queue)
      assert.deepEqual(await publisher.renew([delivery, stored]), ['done', 'done'])
      await context.settle(publisher, [stored, delivery])
    },
  },
  {
    name: 'publishes what follows a live message, and live messages that follow a stored one',
    async run(context) {
      const { exchange, listeners, publisher } = await listening(context, [''])
      const [{ connection, queue }] = listeners as [Listener]
      await context.publish(publisher, context.queue, 'stored')
      const stored = await context.takeOne(publisher, context.queue)
      const settled = await publisher.settle([{ delivery: stored, publish: [through(exchange, '', 'live')] }])
      assert.deepEqual(settled, ['done'])
      const delivery = await context.takeOne(connection, queue)
      assert.equal(readBody(delivery), 'live')
      const publish = [publication(context.queue, 'follow-up')]
      assert.deepEqual(await connection.settle([{ delivery, publish }]), ['done'])
      await context.expectMessages(publisher, context.queue, ['follow-up'])
    },
  },
  {
    name: 'publishes no live message for a settlement that is stale',
    needs: ({ leases }) => leases,
    async run(context) {
      const { exchange, listeners, publisher } = await listening(context, [''])
      const [{ connection, queue }] = listeners as [Listener]
      await context.publish(publisher, context.queue, 'stored')
      const delivery = await context.takeOne(publisher, context.queue)
      await context.settle(publisher, [delivery])
      assert.deepEqual(await publisher.settle([{ delivery, publish: [through(exchange, '', 'live')] }]), ['stale'])
      await context.expectNothing(connection, queue)
    },
  },
  {
    name: 'hands nothing to a queue that was unbound or deleted, and goes on with the others',
    async run(context) {
      const { exchange, listeners, publisher } = await listening(context, ['key', 'key', 'key'])
      const [unbound, deleted, kept] = listeners as [Listener, Listener, Listener]
      await unbound.connection.unbindQueue({ queue: unbound.queue, exchange, routingKey: 'key' })
      await deleted.connection.deleteQueue(deleted.queue)
      await publisher.publish([through(exchange, 'key', 'a')])
      await context.expectMessages(kept.connection, kept.queue, ['a'])
      await context.expectNothing(unbound.connection, unbound.queue)
      await context.expectNothing(deleted.connection, deleted.queue)
    },
  },
  {
    name: 'ends a fetch that waits for live messages when its connection closes',
    async run(context) {
      const { listeners } = await listening(context, [''])
      const [{ connection, queue }] = listeners as [Listener]
      const outcome = connection.fetch([queue], { max: 1, signal: new AbortController().signal }).then(
        () => assert.fail('a fetch on a closed connection resolved'),
        (error: unknown) => error,
      )
      await nextTurn()
      await context.soon(connection.close(), 'closing')
      const error = (await context.soon(outcome, 'the fetch on the closed connection')) as { code?: string }
      assert.equal(error.code, 'ERR_CELERY_CONNECTION_CLOSED')
    },
  },
  {
    name: 'leaves what others have in a queue when a connection closes that listened for it',
    async run(context) {
      const { exchange, publisher } = await listening(context, [''])
      await context.publish(publisher, context.queue, 'held', 'ready')
      const held = await context.takeOne(publisher, context.queue)
      const connection = await context.open()
      await connection.bindQueue({ queue: context.queue, exchange, routingKey: '' })
      await connection.close()
      await context.settle(publisher, [held])
      await publisher.publish([through(exchange, '', 'live')])
      await context.expectMessages(publisher, context.queue, ['ready'])
    },
  },
  {
    name: 'loses no live message to a fetch that was aborted',
    async run(context) {
      const { exchange, listeners, publisher } = await listening(context, [''])
      const [{ connection, queue }] = listeners as [Listener]
      const reason = new Error('not wanted')
      // Whatever is under way at the time: before it is published, on its way, and heard.
      for (let turns = 0; turns < 20; turns++) {
        const waiting = new AbortController()
        const fetching = connection.fetch([context.queue, queue], { max: 1, signal: waiting.signal })
        const fetched = fetching.then(
          (deliveries) => [...deliveries],
          (error: unknown): Delivery[] => {
            assert.equal(error, reason)
            return []
          },
        )
        await nextTurn()
        const publishing = publisher.publish([through(exchange, '', `${turns}`)])
        for (let turn = 0; turn < turns; turn++) await nextTurn()
        waiting.abort(reason)
        await publishing
        const deliveries = await fetched
        if (deliveries.length === 0) deliveries.push(await context.takeOne(connection, queue))
        assert.deepEqual(deliveries.map(readBody), [`${turns}`])
        await context.settle(connection, deliveries)
      }
      await context.expectNothing(connection, queue)
    },
  },
])

interface Listener {
  readonly connection: BrokerConnection
  readonly queue: string
}

/** A live exchange, and for each key a queue on a connection of its own that listens for it. */
async function listening(context: CaseContext, keys: readonly string[]) {
  const publisher = await context.open()
  const exchange = await context.exchange(publisher, 'fanout')
  const listeners: Listener[] = []
  for (const key of keys) listeners.push(await listen(context, exchange, key))
  return { exchange, listeners, publisher }
}

let listenersSoFar = 0

async function listen(context: CaseContext, exchange: string, routingKey: string): Promise<Listener> {
  const connection = await context.open()
  const queue = context.name(`listener-${++listenersSoFar}`)
  await connection.declareQueue({ name: queue })
  await connection.bindQueue({ queue, exchange, routingKey })
  return { connection, queue }
}

function through(exchange: string, routingKey: string, body: string): Publication {
  return { exchange, routingKey, message: textMessage(body) }
}

function withLiveFanout(cases: readonly TransportCase[]): readonly TransportCase[] {
  return cases.map((testCase) => ({
    ...testCase,
    needs: (capabilities) => capabilities.liveFanout === true && testCase.needs?.(capabilities) !== false,
  }))
}
