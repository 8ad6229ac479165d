import assert from 'node:assert/strict'
import { publication } from '../case-context.ts'
import { type Envelope, readBody, readBytes, readEnvelope } from '../read-body.ts'
import type { TransportCase } from '../transport-case.ts'

const texts: readonly { readonly name: string; readonly text: string }[] = [
  { name: 'no text at all', text: '' },
  { name: 'quotes, backslashes and line ends', text: `"'\\\r\n\t\u2028\`$\{x}` },
  { name: 'NUL and control characters', text: 'a\u0000b\u0001\u001f\u007f' },
  { name: 'all of Unicode', text: 'Grüße, 世界, мир, 💥👩‍👩‍👧, \u{10ffff}' },
  { name: 'what looks like SQL', text: `'; drop table messages; -- %s ? $1 :name` },
  { name: 'JSON in JSON', text: JSON.stringify({ body: JSON.stringify({ a: '\u0000"' }) }) },
]

const queueNames: readonly string[] = [
  `'; drop table queues; --`,
  '% _ * ?',
  'with spaces and\ttabs',
  'очередь-キュー-💥',
  '__proto__',
  'constructor',
  'a/../../b',
  'a"b\\c',
  '{}',
]

/** That messages come out as they went in. */
export const payloadCases: readonly TransportCase[] = [
  ...texts.map(
    ({ name, text }): TransportCase => ({
      name: `carries ${name}`,
      async run(context) {
        const connection = await context.open()
        await context.publish(connection, context.queue, text)
        await context.expectMessages(connection, context.queue, [text])
      },
    }),
  ),
  {
    name: 'carries bytes of every value',
    async run(context) {
      const connection = await context.open()
      const body = Uint8Array.from({ length: 512 }, (_, index) => index % 256)
      const message = { body, contentType: 'application/data', contentEncoding: 'binary', headers: {}, properties: {} }
      await connection.publish([{ exchange: '', routingKey: context.queue, message }])
      assert.deepEqual(new Uint8Array(readBytes(await context.takeOne(connection, context.queue))), body)
    },
  },
  {
    name: 'carries a megabyte',
    async run(context) {
      const connection = await context.open()
      const text = '0123456789abcdef'.repeat(64 * 1024)
      await context.publish(connection, context.queue, text)
      assert.ok(readBody(await context.takeOne(connection, context.queue)) === text, 'a megabyte came back changed')
    },
  },
  {
    name: 'carries headers, properties and the type of the body',
    async run(context) {
      const connection = await context.open()
      const headers = { task: 'proj.add', id: 'b4f1', retries: 0, eta: null, stamps: { on: true }, ünï: ['a', 1.5] }
      const message = {
        body: '{}',
        contentType: 'application/json',
        contentEncoding: 'utf-8',
        headers,
        properties: { correlation_id: 'b4f1', reply_to: 'me', delivery_mode: 2 as const, priority: 3 },
      }
      await connection.publish([{ exchange: '', routingKey: context.queue, message }])
      const envelope = readEnvelope(await context.takeOne(connection, context.queue))
      assert.deepEqual(envelope.headers, headers)
      assert.deepEqual([envelope['content-type'], envelope['content-encoding']], ['application/json', 'utf-8'])
      const { correlation_id, reply_to, delivery_mode, priority } = envelope.properties
      assert.deepEqual({ correlation_id, reply_to, delivery_mode, priority }, message.properties)
    },
  },
  {
    name: 'keeps a message unchanged through requeues and the dead-letter queue',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a\u0000💥')
      const first = await context.takeOne(connection, context.queue)
      await context.settle(connection, [first], { type: 'requeue', counted: true })
      const second = await context.takeOne(connection, context.queue)
      assert.deepEqual(withoutMarks(readEnvelope(second)), readEnvelope(first))
      await context.settle(connection, [second], { type: 'dead', reason: 'enough' })
      const dead = await context.takeOne(connection, `${context.queue}.dead`)
      assert.equal(readBody(dead), 'a\u0000💥')
    },
  },
  {
    name: 'buries a message for any reason, which may quote what nobody can store',
    async run(context) {
      const connection = await context.open()
      await context.publish(connection, context.queue, 'a')
      const message = await context.takeOne(connection, context.queue)
      await context.settle(connection, [message], { type: 'dead', reason: 'a \u0000 or \ud800 is no task' })
      const dead = await context.takeOne(connection, `${context.queue}.dead`)
      assert.equal(readBody(dead), 'a')
      assert.match(dead.deadReason ?? '', /^a .+ is no task$/s)
    },
  },
  ...queueNames.map(
    (label): TransportCase => ({
      name: `takes ${JSON.stringify(label)} for the name of a queue`,
      async run(context) {
        const connection = await context.open()
        // Both with the label alone, which may mean something to the store, and beside a queue that is nearly the same.
        const [queue, near] = [label, `${label}x`]
        await connection.declareQueue({ name: queue })
        await connection.publish([publication(queue, 'this'), publication(near, 'near')])
        await context.expectMessages(connection, queue, ['this'])
        await context.expectMessages(connection, near, ['near'])
        await connection.deleteQueue(queue)
        await connection.deleteQueue(near)
      },
    }),
  ),
  {
    name: 'takes a queue name of 255 bytes',
    async run(context) {
      const connection = await context.open()
      const queue = context.name('q'.repeat(255)).slice(-255)
      await context.publish(connection, queue, 'a')
      await context.expectMessages(connection, queue, ['a'])
    },
  },
  {
    name: 'tells queue names apart by case and by trailing space',
    async run(context) {
      const connection = await context.open()
      const names = [context.name('q'), context.name('Q'), `${context.name('q')} `, ` ${context.name('q')}`]
      await connection.publish(names.map((name) => publication(name, name)))
      for (const name of names) await context.expectMessages(connection, name, [name])
    },
  },
]

/** Without what a broker may note in a message that comes again: a count of its own, and the flags that kombu sets. */
function withoutMarks(envelope: Envelope): unknown {
  const { 'x-redeliveries': _count, ...rest } = { 'x-redeliveries': 0, ...envelope }
  const { redelivered: _inHeaders, ...headers } = rest.headers
  const info = rest.properties['delivery_info']
  if (typeof info !== 'object' || info === null) return { ...rest, headers }
  const { redelivered: _inInfo, ...deliveryInfo } = { redelivered: true, ...info }
  return { ...rest, headers, properties: { ...rest.properties, delivery_info: deliveryInfo } }
}
