import assert from 'node:assert/strict'
import type { BrokerConnection, Publication } from '../../broker-connection.ts'
import { type CaseContext, publication, textMessage } from '../case-context.ts'
import type { TransportCase } from '../transport-case.ts'

/** In each list in the order they are published and so come back. Both readings of `#` agree on these. */
const topics: readonly {
  readonly pattern: string
  readonly matches: readonly string[]
  readonly misses: readonly string[]
}[] = [
  { pattern: 'task.*', matches: ['task.sent', 'task.done'], misses: ['task', 'worker.online', 'mytask.sent'] },
  { pattern: 'task.#', matches: ['task.sent', 'task.a.b.c'], misses: ['worker.online', 'a.task.sent', 'tasks.sent'] },
  { pattern: '#', matches: ['a', 'a.b', 'a.b.c'], misses: [] },
  { pattern: '*.end', matches: ['the.end', 'an.end'], misses: ['end', 'the.end.is', 'the.ends'] },
  { pattern: 'a.*.c', matches: ['a.b.c', 'a.x.c'], misses: ['a.c', 'b.b.c', 'a.b.d'] },
  { pattern: 'a.#.z', matches: ['a.b.z', 'a.b.c.z'], misses: ['a.b', 'b.z', 'a.b.z.y'] },
  { pattern: 'plain.key', matches: ['plain.key'], misses: ['plain', 'plain.key.x', 'plainxkey'] },
  { pattern: 'a+(b)?.[c]', matches: ['a+(b)?.[c]'], misses: ['aab.c', 'ab.c'] },
]

/** Which queues a publication reaches. */
export const exchangeCases: readonly TransportCase[] = [
  {
    name: 'routes by queue name through the default exchange',
    async run(context) {
      const connection = await context.open()
      const [one, other] = await queues(context, connection, 'one', 'other')
      await connection.publish([publication(other, 'to the other'), publication(one, 'to one')])
      await context.expectMessages(connection, one, ['to one'])
      await context.expectMessages(connection, other, ['to the other'])
    },
  },
  {
    name: 'routes by equal key through a direct exchange',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      const [one, other] = await queues(context, connection, 'one', 'other')
      await connection.bindQueue({ queue: one, exchange, routingKey: 'key.one' })
      await connection.bindQueue({ queue: other, exchange, routingKey: 'key.*' })
      await connection.publish([through(exchange, 'key.one', 'a'), through(exchange, 'key.*', 'b')])
      await context.expectMessages(connection, one, ['a'])
      await context.expectMessages(connection, other, ['b'])
    },
  },
  {
    name: 'copies a message to every queue bound with the same key',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      const names = await queues(context, connection, 'one', 'two', 'three')
      for (const queue of names) await connection.bindQueue({ queue, exchange, routingKey: 'key' })
      await connection.publish([through(exchange, 'key', 'a')])
      for (const queue of names) await context.expectMessages(connection, queue, ['a'])
    },
  },
  {
    name: 'settles copies of a message each for itself',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      const [one, other] = await queues(context, connection, 'one', 'other')
      for (const queue of [one, other]) await connection.bindQueue({ queue, exchange, routingKey: 'key' })
      await connection.publish([through(exchange, 'key', 'a')])
      const [first, second] = [await context.takeOne(connection, one), await context.takeOne(connection, other)]
      assert.notEqual(first.tag, second.tag, 'two messages have one tag')
      await context.settle(connection, [first])
      await context.settle(connection, [second], { type: 'requeue', counted: false })
      await context.expectMessages(connection, other, ['a'])
      await context.expectNothing(connection, one)
    },
  },
  {
    name: 'repeats a publication to several queues only where it is missing',
    needs: ({ leases, repeats }) => leases && repeats !== 'unconfirmed',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      const names = await queues(context, connection, 'one', 'other')
      for (const queue of names) await connection.bindQueue({ queue, exchange, routingKey: 'key' })
      const repeated = { ...through(exchange, 'key', 'a'), tag: context.name('tag') }
      await connection.publish([repeated])
      await connection.publish([repeated])
      for (const queue of names) await context.expectMessages(connection, queue, ['a'])
    },
  },
  {
    name: 'puts one message into a queue that is bound twice',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'topic')
      const [queue] = await queues(context, connection, 'one')
      await connection.bindQueue({ queue, exchange, routingKey: 'a.*' })
      await connection.bindQueue({ queue, exchange, routingKey: 'a.#' })
      await connection.bindQueue({ queue, exchange, routingKey: 'a.#' })
      await connection.publish([through(exchange, 'a.b', 'once')])
      await context.expectMessages(connection, queue, ['once'])
    },
  },
  ...topics.map(
    ({ pattern, matches, misses }): TransportCase => ({
      name: `routes by the topic pattern ${JSON.stringify(pattern)}`,
      async run(context) {
        const connection = await context.open()
        const exchange = await context.exchange(connection, 'topic')
        const [queue] = await queues(context, connection, 'one')
        await connection.bindQueue({ queue, exchange, routingKey: pattern })
        await connection.publish([...misses, ...matches].map((key) => through(exchange, key, key)))
        await context.expectMessages(connection, queue, matches)
      },
    }),
  ),
  {
    name: 'copies a message to every queue bound to a fanout exchange, whatever the key',
    needs: ({ fanout, liveFanout }) => fanout && liveFanout !== true,
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'fanout')
      const names = await queues(context, connection, 'one', 'two', 'three')
      for (const queue of names) await connection.bindQueue({ queue, exchange, routingKey: '' })
      await connection.publish([through(exchange, 'any key', 'a'), through(exchange, '', 'b')])
      for (const queue of names) await context.expectMessages(connection, queue, ['a', 'b'])
    },
  },
  {
    name: 'wakes a fetch that waits on each queue of a fanout exchange',
    needs: ({ fanout, liveFanout }) => fanout && liveFanout !== true,
    async run(context) {
      const [one, other, publisher] = [await context.open(), await context.open(), await context.open()]
      const exchange = await context.exchange(publisher, 'fanout')
      const names = await queues(context, publisher, 'one', 'other')
      for (const queue of names) await publisher.bindQueue({ queue, exchange, routingKey: '' })
      const fetching = [context.takeOne(one, names[0] as string), context.takeOne(other, names[1] as string)]
      await publisher.publish([through(exchange, '', 'a')])
      assert.deepEqual(
        (await Promise.all(fetching)).map(({ queue }) => queue),
        names,
      )
    },
  },
  {
    name: 'refuses a fanout exchange it has no means for',
    needs: ({ fanout }) => !fanout,
    async run(context) {
      const connection = await context.open()
      await assert.rejects(connection.declareExchange({ name: context.name('fanout'), type: 'fanout' }), {
        code: 'ERR_CELERY_UNSUPPORTED_BY_TRANSPORT',
      })
    },
  },
  {
    name: 'stops routing to a queue that was unbound',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      const [one, other] = await queues(context, connection, 'one', 'other')
      for (const queue of [one, other]) await connection.bindQueue({ queue, exchange, routingKey: 'key' })
      await connection.publish([through(exchange, 'key', 'a')])
      await connection.unbindQueue({ queue: one, exchange, routingKey: 'key' })
      await connection.publish([through(exchange, 'key', 'b')])
      await context.expectMessages(connection, one, ['a'])
      await context.expectMessages(connection, other, ['a', 'b'])
    },
  },
  {
    name: 'unbinds one key and keeps the others',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      const [queue] = await queues(context, connection, 'one')
      for (const routingKey of ['a', 'b']) await connection.bindQueue({ queue, exchange, routingKey })
      await connection.unbindQueue({ queue, exchange, routingKey: 'a' })
      await connection.publish([through(exchange, 'a', 'a'), through(exchange, 'b', 'b')])
      await context.expectMessages(connection, queue, ['b'])
    },
  },
  {
    name: 'routes the next message by a binding that another connection has just made',
    async run(context) {
      const [publisher, binder] = [await context.open(), await context.open()]
      const exchange = await context.exchange(publisher, 'direct')
      const [one, other] = await queues(context, binder, 'one', 'other')
      await publisher.bindQueue({ queue: one, exchange, routingKey: 'key' })
      await publisher.publish([through(exchange, 'key', 'a')])
      await binder.bindQueue({ queue: other, exchange, routingKey: 'key' })
      await publisher.publish([through(exchange, 'key', 'b')])
      await context.expectMessages(binder, one, ['a', 'b'])
      await context.expectMessages(binder, other, ['b'])
    },
  },
  {
    name: 'keeps exchanges apart',
    async run(context) {
      const connection = await context.open()
      const exchanges = [await context.exchange(connection, 'direct'), await context.exchange(connection, 'topic')]
      const names = await queues(context, connection, 'one', 'other')
      for (const [index, exchange] of exchanges.entries()) {
        await connection.bindQueue({ queue: names[index] as string, exchange, routingKey: 'key' })
      }
      await connection.publish(exchanges.map((exchange) => through(exchange, 'key', exchange)))
      for (const [index, exchange] of exchanges.entries()) {
        await context.expectMessages(connection, names[index] as string, [exchange])
      }
    },
  },
  {
    name: 'refuses to publish to an exchange nobody declared, and publishes nothing of the call',
    async run(context) {
      const connection = await context.open()
      const exchange = context.name('undeclared')
      const publishing = connection.publish([publication(context.queue, 'a'), through(exchange, 'key', 'b')])
      await assert.rejects(publishing, { code: 'ERR_CELERY_UNKNOWN_EXCHANGE', exchange })
      await context.expectNothing(connection, context.queue)
    },
  },
  {
    name: 'refuses to bind to an exchange nobody declared',
    async run(context) {
      const connection = await context.open()
      const exchange = context.name('undeclared')
      const [queue] = await queues(context, connection, 'one')
      await assert.rejects(connection.bindQueue({ queue, exchange, routingKey: 'key' }), {
        code: 'ERR_CELERY_UNKNOWN_EXCHANGE',
        exchange,
      })
    },
  },
  {
    name: 'refuses to publish to an exchange that was deleted',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      const [queue] = await queues(context, connection, 'one')
      await connection.bindQueue({ queue, exchange, routingKey: 'key' })
      await connection.deleteExchange(exchange)
      await assert.rejects(connection.publish([through(exchange, 'key', 'a')]), { code: 'ERR_CELERY_UNKNOWN_EXCHANGE' })
      await context.expectNothing(connection, queue)
    },
  },
  {
    name: 'drops a message that no queue is bound for',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      const [queue] = await queues(context, connection, 'one')
      await connection.bindQueue({ queue, exchange, routingKey: 'key' })
      await connection.publish([through(exchange, 'another', 'a'), through(exchange, 'key', 'b')])
      await context.expectMessages(connection, queue, ['b'])
    },
  },
  {
    name: 'refuses a mandatory message that no queue is bound for',
    async run(context) {
      const connection = await context.open()
      const exchange = await context.exchange(connection, 'direct')
      const message = { ...through(exchange, 'nobody', 'a'), mandatory: true }
      await assert.rejects(connection.publish([message]), {
        code: 'ERR_CELERY_UNROUTABLE',
        exchange,
        routingKey: 'nobody',
      })
    },
  },
  {
    name: 'takes a repeated declaration of an exchange, but not as another type',
    async run(context) {
      const [connection, other] = [await context.open(), await context.open()]
      const name = await context.exchange(connection, 'direct')
      await other.declareExchange({ name, type: 'direct' })
      await assert.rejects(other.declareExchange({ name, type: 'topic' }), { code: 'ERR_CELERY_EXCHANGE_MISMATCH' })
    },
  },
  {
    name: 'takes exchange names and routing keys as they are, whatever is in them',
    async run(context) {
      const connection = await context.open()
      const [queue] = await queues(context, connection, 'one')
      const odd = [`'; drop table bindings; --`, '%', '_', '__proto__', 'a b\tc', 'ключ 💥', '{"a":1}', '"']
      for (const text of odd) {
        const exchange = context.name(text)
        await connection.declareExchange({ name: exchange, type: 'direct' })
        await connection.bindQueue({ queue, exchange, routingKey: text })
        await connection.publish([through(exchange, text, text), through(exchange, `${text}x`, 'not this')])
      }
      await context.expectMessages(connection, queue, odd)
    },
  },
]

function through(exchange: string, routingKey: string, body: string): Publication {
  return { exchange, routingKey, message: textMessage(body) }
}

/** Declares queues for the case. */
async function queues<const Labels extends readonly string[]>(
  context: CaseContext,
  connection: BrokerConnection,
  ...labels: Labels
): Promise<{ readonly [Index in keyof Labels]: string }> {
  const names = labels.map((label) => context.name(label))
  for (const name of names) await connection.declareQueue({ name })
  return names as unknown as { readonly [Index in keyof Labels]: string }
}
