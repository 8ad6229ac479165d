import { deferred, ManualClock } from '@celery/promises'
import { BrokerBusyError } from '@celery/transport'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type Connection,
  Exchange,
  type Message,
  MessageConsumer,
  type MessageConsumerOptions,
  MessageProducer,
  Queue,
} from '../src/index.ts'
import { brokers } from './brokers.ts'
import { setUp as setUpFaulty } from './set-up.ts'

const q = new Queue('q')

async function publish(connection: Connection, ...bodies: readonly unknown[]): Promise<void> {
  const producer = new MessageProducer({ connection, routingKey: 'q' })
  for (const body of bodies) await producer.publish(body)
}

async function take(consumer: MessageConsumer, count: number): Promise<readonly Message[]> {
  const messages: Message[] = []
  while (messages.length < count) messages.push((await consumer.next())!)
  return messages
}

/** A consumer of `q` on a broker that fails on command. */
function setUp({ sessions = false, ...options }: Partial<MessageConsumerOptions> & { sessions?: boolean } = {}) {
  const { transport, connection } = setUpFaulty({ sessions })
  const errors: unknown[] = []
  const consumer = new MessageConsumer({
    connection,
    queues: [q],
    onError: (error) => void errors.push(error),
    ...options,
  })
  onTestFinished(() => consumer.close())
  return { transport, connection, consumer, errors }
}

describe.each(brokers)('receiving on $name', ({ open }) => {
  test('gives what was published, in order, until the loop is left', async () => {
    const connection = open().connect()
    await publish(connection, { n: 1 }, 'two', new Uint8Array([3]), { n: 4 })
    const got: unknown[] = []
    for await (const message of new MessageConsumer({ connection, queues: [q] })) {
      got.push(message.payload instanceof Uint8Array ? [...message.payload] : message.payload)
      expect(await message.ack()).toBe(true)
      if (got.length === 3) break
    }
    expect(got).toEqual([{ n: 1 }, 'two', [3]])
    expect(await q.info(connection)).toMatchObject({ ready: 1, held: 0 })
  })

  test('reads compressed bodies', async () => {
    const connection = open().connect()
    await new MessageProducer({ connection, compression: 'brotli' }).publish({ a: [1] }, { routingKey: 'q' })
    await using consumer = new MessageConsumer({ connection, queues: [q] })
    expect((await consumer.next())?.payload).toEqual({ a: [1] })
  })

  test('takes from several queues, and declares their exchanges and bindings', async () => {
    const connection = open().connect()
    const exchange = new Exchange('media', { type: 'topic' })
    const queues = ['image', 'video'].map((name) => new Queue(name, { exchange, routingKey: `${name}.#` }))
    await using consumer = new MessageConsumer({ connection, queues })
    await consumer.start()
    const producer = new MessageProducer({ connection, exchange })
    await producer.publish('cat', { routingKey: 'video.cat', mandatory: true })
    await producer.publish('dog', { routingKey: 'image.dog', mandatory: true })
    const messages = await take(consumer, 2)
    expect(messages.map(({ queue, payload }) => `${queue}: ${String(payload)}`).sort()).toEqual([
      'image: dog',
      'video: cat',
    ])
    expect(messages[0]?.deliveryInfo?.exchange).toBe('media')
  })

  test('a requeued message comes again and a rejected one is buried', async () => {
    const connection = open().connect()
    await publish(connection, 'x')
    await using consumer = new MessageConsumer({ connection, queues: [q] })
    const [first] = await take(consumer, 1)
    expect(await first!.requeue()).toBe(true)
    const [second] = await take(consumer, 1)
    expect([second?.payload, second?.redeliveries]).toEqual(['x', 1])
    expect(await second!.reject({ reason: 'not for us' })).toBe(true)
    await using dead = new MessageConsumer({ connection, queues: [new Queue('q.dead', { noDeclare: true })] })
    const [buried] = await take(dead, 1)
    expect([buried?.payload, buried?.deadReason]).toEqual(['x', 'not for us'])
  })

  test('a message that is not acknowledged when the consumer is closed comes again', async () => {
    const connection = open().connect()
    await publish(connection, 'handed out', 'not yet')
    const consumer = new MessageConsumer({ connection, queues: [q] })
    const [message] = await take(consumer, 1)
    await consumer.close()
    expect(await q.info(connection)).toMatchObject({ ready: 2, held: 0 })
    expect(await message!.ack()).toBe(false)
    await using again = new MessageConsumer({ connection, queues: [q] })
    const messages = await take(again, 2)
    expect(messages.map(({ payload, redeliveries }) => [payload, redeliveries])).toEqual([
      ['handed out', 1],
      ['not yet', 0],
    ])
  })

  test('with noAck a message is over when it is handed out, and not before', async () => {
    const connection = open().connect()
    await publish(connection, '1', '2', '3')
    const consumer = new MessageConsumer({ connection, queues: [new Queue('q', { noAck: true })] })
    const messages = await take(consumer, 2)
    expect(messages.map(({ state }) => state)).toEqual(['acknowledged', 'acknowledged'])
    await expect(messages[0]!.ack()).rejects.toMatchObject({ code: 'ERR_CELERY_MESSAGE_STATE', state: 'acknowledged' })
    await consumer.close()
    expect(await q.info(connection)).toMatchObject({ ready: 1, held: 0 })
  })

  test('several may wait for messages, and each message goes to one of them', async () => {
    const connection = open().connect()
    await using consumer = new MessageConsumer({ connection, queues: [q] })
    const waiting = Array.from({ length: 5 }, () => consumer.next())
    await publish(connection, 1, 2, 3, 4, 5)
    const got = await Promise.all(waiting)
    expect(new Set(got.map((message) => message?.payload))).toEqual(new Set([1, 2, 3, 4, 5]))
  })

  test('queues come and go while it consumes', async () => {
    const connection = open().connect()
    await using consumer = new MessageConsumer({ connection, queues: [q] })
    const waiting = consumer.next()
    const other = new Queue('other')
    await consumer.addQueue(other)
    const producer = new MessageProducer({ connection })
    await producer.publish('found', { routingKey: 'other' })
    const message = await waiting
    expect(message?.payload).toBe('found')
    await message?.ack()
    expect(consumer.queueNames).toEqual(['q', 'other'])
    expect([consumer.cancel('other'), consumer.cancel('other')]).toEqual([true, false])
    await producer.publish('left', { routingKey: 'other' })
    await publish(connection, 'taken')
    expect((await consumer.next())?.payload).toBe('taken')
    expect((await other.info(connection)).ready).toBe(1)
  })
})

describe('a message consumer', () => {
  test('fetches no more than its prefetch, and goes on as messages are settled', async () => {
    const { transport, connection, consumer } = setUp({ prefetch: 2 })
    await publish(connection, 1, 2, 3, 4)
    const [first] = await take(consumer, 1)
    expect(transport.sizes('fetch')).toEqual([2])
    await first!.ack()
    await transport.called('fetch', 2)
    expect(transport.sizes('fetch')).toEqual([2, 1])
    consumer.prefetch = 4
    await transport.called('fetch', 3)
    expect(transport.sizes('fetch')).toEqual([2, 1, 2])
    expect(() => {
      consumer.prefetch = 0
    }).toThrow(RangeError)
  })

  test('fetches nothing while it is paused', async () => {
    const { connection, consumer } = setUp()
    await consumer.start()
    consumer.pause()
    await publish(connection, 1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(await q.info(connection)).toMatchObject({ ready: 1, held: 0 })
    consumer.resume()
    expect((await consumer.next())?.payload).toBe(1)
  })

  test('gives back what it has not handed out', async () => {
    const { connection, consumer } = setUp()
    await publish(connection, 1, 2, 3)
    const [first] = await take(consumer, 1)
    consumer.pause()
    consumer.recover()
    await first!.ack()
    await consumer.stop()
    await consumer.close()
    expect(await q.info(connection)).toMatchObject({ ready: 2, held: 0 })
  })

  test('empties its queues', async () => {
    const { connection, consumer } = setUp()
    await publish(connection, 1, 2, 3)
    expect(await consumer.purge()).toBe(3)
  })

  test('decodes when it hands out: what it cannot read goes to the dead-letter queue and is told', async () => {
    const { connection, consumer, errors } = setUp({ accept: ['json'] })
    const producer = new MessageProducer({ connection, routingKey: 'q' })
    await producer.publish('plain text')
    await producer.publish('{"broken', { contentType: 'application/json' })
    await producer.publish('not zlib', { contentType: 'application/json', headers: { compression: 'zlib' } })
    await producer.publish('{}', { contentType: 'application/json', headers: { compression: 7 } })
    await producer.publish('fine', { serializer: 'json' })
    expect((await consumer.next())?.payload).toBe('fine')
    expect(errors.map((error) => (error as { readonly code: string }).code)).toEqual([
      'ERR_CELERY_CONTENT_DISALLOWED',
      'ERR_CELERY_DECODE',
      'ERR_CELERY_DECODE',
      'ERR_CELERY_DECODE',
    ])
    await consumer.close()
    expect((await new Queue('q.dead').info(connection)).ready).toBe(4)
  })

  test('does not look at the bytes of what it does not accept', async () => {
    const { connection, consumer, errors } = setUp({ accept: ['json'] })
    const producer = new MessageProducer({ connection, routingKey: 'q' })
    await producer.publish('not zlib at all', { contentType: 'application/evil', headers: { compression: 'zlib' } })
    await producer.publish({ fine: true })
    await consumer.next()
    expect(errors).toMatchObject([{ code: 'ERR_CELERY_CONTENT_DISALLOWED' }])
  })

  test('leaves what cannot be read to its owner, who may settle it', async () => {
    const seen: unknown[] = []
    const { transport, connection, consumer } = setUp({
      async onDecodeError(error, message) {
        seen.push(error)
        await message.ack()
      },
    })
    transport.rewrite = () => 'this is no envelope'
    await publish(connection, 1)
    const next = consumer.next()
    await transport.called('settle')
    transport.rewrite = (payload) => payload
    await publish(connection, 2)
    expect((await next)?.payload).toBe(2)
    expect(seen).toMatchObject([{ code: 'ERR_CELERY_INVALID_ENVELOPE' }])
    expect((await new Queue('q.dead').info(connection)).ready).toBe(0)
  })

  test('can leave decoding to whoever reads the payload', async () => {
    const { connection, consumer } = setUp({ decode: false, accept: ['json'] })
    await publish(connection, 'plain text')
    const message = await consumer.next()
    expect(message?.body).toBe('plain text')
    expect(() => message?.payload).toThrow('is not accepted here')
    await expect(message?.decode()).rejects.toMatchObject({ code: 'ERR_CELERY_CONTENT_DISALLOWED' })
    expect(message?.isSettled).toBe(false)
  })

  test('refuses at the start what cannot be accepted', async () => {
    const { consumer } = setUp({ accept: ['json', 'no-such-format'] })
    await expect(consumer.next()).rejects.toMatchObject({ code: 'ERR_CELERY_UNKNOWN_SERIALIZER' })
  })

  test('decodes a body once', async () => {
    const { connection, consumer } = setUp()
    await publish(connection, { n: 1 })
    const message = await consumer.next()
    expect(message?.payload).toBe(message?.payload)
    expect(await message?.decode()).toBe(message?.payload)
  })

  test('survives its connection: declares again, and hands nothing out twice', async () => {
    const exchange = new Exchange('x')
    const queue = new Queue('q', { exchange, routingKey: 'key' })
    const { transport, connection, consumer, errors } = setUp({ queues: [queue], prefetch: 10 })
    await consumer.start()
    await publish(connection, 1, 2, 3)
    const [first] = await take(consumer, 1)
    const declared = transport.sizes('declareQueue').length
    await transport.cut()
    await transport.called('declareQueue', declared + 1)
    expect(await first!.ack()).toBe(false)
    const messages = await take(consumer, 3)
    expect(messages.map(({ payload }) => payload)).toEqual([1, 2, 3])
    for (const message of messages) expect(await message.ack()).toBe(true)
    expect(errors).toHaveLength(1)
    expect(await q.info(connection)).toMatchObject({ ready: 0, held: 0 })
  })

  test('where deliveries outlive their connection, keeps what it has, and hands each out once', async () => {
    const { transport, connection, consumer, errors } = setUp({ sessions: true, prefetch: 10 })
    await consumer.start()
    await publish(connection, 1, 2, 3)
    const [first] = await take(consumer, 1)
    const renewed = transport.called('renew')
    await transport.cut()
    await renewed
    const rest = await take(consumer, 2)
    expect(rest.map(({ payload }) => payload)).toEqual([2, 3])
    expect(await q.info(connection)).toMatchObject({ ready: 0, held: 3 })
    for (const message of [first!, ...rest]) expect(await message.ack()).toBe(true)
    expect(await q.info(connection)).toMatchObject({ ready: 0, held: 0 })
    expect(errors).toHaveLength(1)
  })

  test('and hands nothing out that somebody else has got meanwhile', async () => {
    const { transport, connection, consumer } = setUp({ sessions: true, prefetch: 10 })
    await consumer.start()
    await publish(connection, 1, 2)
    const [first] = await take(consumer, 1)
    await transport.reset()
    const published = new MessageProducer({ connection: connection.clone(), routingKey: 'q' })
    await published.publish(3)
    const [next] = await take(consumer, 1)
    expect(next?.payload).toBe(3)
    expect(await first!.ack()).toBe(false)
  })

  test('repeats an acknowledgement whose answer was lost', async () => {
    const { transport, connection, consumer } = setUp()
    await publish(connection, 1)
    const [message] = await take(consumer, 1)
    transport.inject('settle', { type: 'lose answer' })
    // It took effect; the second one cannot.
    expect(await message!.ack()).toBe(false)
    expect(await q.info(connection)).toMatchObject({ ready: 0, held: 0 })
  })

  test('renews the leases of what it has not settled, three times per lease', async () => {
    const clock = new ManualClock()
    const leaseMs = 30_000
    const { connection } = setUpFaulty({ open: { leaseMs, now: () => clock.now() } })
    const consumer = new MessageConsumer({ connection, queues: [q], clock })
    onTestFinished(() => consumer.close())
    await publish(connection, 'long work')
    const [message] = await take(consumer, 1)
    for (let thirds = 0; thirds < 9; thirds++) {
      await clock.whenPending()
      await clock.advanceAsync(leaseMs / 3)
    }
    expect(await q.info(connection)).toMatchObject({ ready: 0, held: 1 })
    expect(await message!.ack()).toBe(true)
    // Nothing but the next check of its connection.
    expect(clock.pending).toBe(1)
  })

  test('lets go of a message whose lease was lost', async () => {
    const clock = new ManualClock()
    let aheadMs = 0
    const { connection } = setUpFaulty({ open: { leaseMs: 30_000, now: () => clock.now() + aheadMs } })
    const consumer = new MessageConsumer({ connection, queues: [q], clock, prefetch: 1 })
    onTestFinished(() => consumer.close())
    await publish(connection, 1)
    const [message] = await take(consumer, 1)
    aheadMs = 40_000
    const other = await connection.broker()
    await other.fetch(['q'], { max: 1, signal: AbortSignal.timeout(20_000) })
    await publish(connection, 2)
    const next = consumer.next()
    await clock.advanceAsync(10_000)
    expect((await next)?.payload).toBe(2)
    expect(await message!.ack()).toBe(false)
  })

  test('stops: nothing more comes, what was handed out can still be settled', async () => {
    const { connection, consumer } = setUp()
    await publish(connection, 1, 2)
    const [message] = await take(consumer, 1)
    const waiting = deferred<Message | undefined>()
    await consumer.stop()
    consumer.next().then(waiting.resolve, waiting.reject)
    expect(await waiting.promise).toBeUndefined()
    expect(await message!.ack()).toBe(true)
    await consumer.close()
    expect(await q.info(connection)).toMatchObject({ ready: 1, held: 0 })
  })

  test('ends those who wait when it stops, also while the broker is away', async () => {
    const { transport, consumer } = setUp()
    transport.reach('', false)
    const waiting = consumer.next()
    await transport.called('open')
    await consumer.close()
    expect(await waiting).toBeUndefined()
  })

  test('ends those who wait where the owner of its connection closes that', async () => {
    const { connection, consumer } = setUp()
    await publish(connection, 1)
    const [message] = await take(consumer, 1)
    const waiting = consumer.next()
    await connection.close()
    expect(await waiting).toBeUndefined()
    // The connection has given it back.
    expect(await message!.ack()).toBe(false)
    expect(await consumer.next()).toBeUndefined()
  })

  test('a loop ends with its connection', async () => {
    const { connection, consumer } = setUp()
    await publish(connection, 1)
    const got: unknown[] = []
    for await (const { payload } of consumer) {
      got.push(payload)
      await connection.close()
    }
    expect(got).toEqual([1])
  })

  test('an acknowledgement is not waited for once nobody will repeat it: the connection was closed', async () => {
    const clock = new ManualClock()
    const { transport, connection, consumer } = setUp({ clock })
    await publish(connection, 1)
    const [message] = await take(consumer, 1)
    transport.inject('settle', { type: 'refuse', error: new BrokerBusyError('faulty://', 'locked') })
    const acknowledged = message!.ack()
    await clock.whenPending()
    await connection.close()
    await clock.advanceAsync(100)
    expect(await acknowledged).toBe(false)
  })

  test('can be closed twice, and before it has started', async () => {
    const { consumer } = setUp()
    await consumer.close()
    await consumer.close()
    expect(await consumer.next()).toBeUndefined()
  })

  test('one who gives up waiting takes no message with it', async () => {
    const { connection, consumer } = setUp()
    const abort = new AbortController()
    const reason = new Error('enough')
    const waiting = consumer.next({ signal: abort.signal })
    await consumer.start()
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await publish(connection, 1)
    expect((await consumer.next())?.payload).toBe(1)
  })
})
