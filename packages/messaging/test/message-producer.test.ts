import { ManualClock } from '@celery/promises'
import { decodeEnvelope, type WireMessage } from '@celery/protocol'
import { ConnectionLostError } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  Connection,
  Exchange,
  MessageConsumer,
  MessageProducer,
  type MessageProducerOptions,
  Queue,
  TransportRegistry,
} from '../src/index.ts'
import { brokers } from './brokers.ts'
import { setUp as setUpFaulty } from './set-up.ts'

async function nextMessage(connection: Connection, queue: string): Promise<WireMessage> {
  const [delivery] = await (await connection.broker()).fetch([queue], { max: 1, signal: AbortSignal.timeout(20_000) })
  return decodeEnvelope(delivery!.payload as string)
}

function setUp(options: Partial<MessageProducerOptions> = {}) {
  const { transport, connection } = setUpFaulty({ closeTimeoutMs: 50 })
  return { transport, connection, producer: new MessageProducer({ connection, ...options }) }
}

describe.each(brokers)('publishing values on $name', ({ open }) => {
  test('writes them as JSON, and text and bytes as they are', async () => {
    const connection = open().connect()
    await using producer = new MessageProducer({ connection, routingKey: 'q' })
    await producer.publish({ x: 1 })
    await producer.publish('text')
    await producer.publish(new Uint8Array([1, 255]))
    expect(await nextMessage(connection, 'q')).toMatchObject({ body: '{"x":1}', contentType: 'application/json' })
    expect(await nextMessage(connection, 'q')).toMatchObject({ body: 'text', contentType: 'text/plain' })
    const bytes = await nextMessage(connection, 'q')
    expect(bytes).toMatchObject({ contentType: 'application/data', contentEncoding: 'binary' })
    expect([...Buffer.from(bytes.body)]).toEqual([1, 255])
  })

  test('carries headers, properties and the address', async () => {
    const connection = open().connect()
    const exchange = new Exchange('media', { deliveryMode: 'transient' })
    const queue = new Queue('q', { exchange, routingKey: 'key' })
    await using producer = new MessageProducer({ connection, exchange })
    await producer.publish('x', {
      routingKey: 'key',
      declare: [queue],
      headers: { lang: 'en' },
      priority: 5,
      expiration: 1.25,
      correlationId: 'c1',
      replyTo: 'answers',
      properties: { type: 'note' },
    })
    const { headers, properties } = await nextMessage(connection, 'q')
    expect(headers).toEqual({ lang: 'en' })
    expect(properties).toMatchObject({
      delivery_mode: 1,
      priority: 5,
      expiration: '1250',
      correlation_id: 'c1',
      reply_to: 'answers',
      type: 'note',
      delivery_info: { exchange: 'media', routing_key: 'key' },
    })
  })

  test('compresses, and says so in a header', async () => {
    const connection = open().connect()
    await using producer = new MessageProducer({ connection, routingKey: 'q', compression: 'zlib' })
    await producer.publish({ text: 'a'.repeat(1_000) })
    const message = await nextMessage(connection, 'q')
    expect(message.headers).toEqual({ compression: 'application/x-gzip' })
    expect(message.body.length).toBeLessThan(100)
  })

  test('answers a message', async () => {
    const connection = open().connect()
    await using producer = new MessageProducer({ connection })
    await producer.publish('2 + 2?', { routingKey: 'q', replyTo: 'answers', correlationId: 'c7' })
    await using consumer = new MessageConsumer({ connection, queues: [new Queue('q')] })
    const question = await consumer.next()
    await producer.reply(question!, 4)
    const answer = await nextMessage(connection, 'answers')
    expect([answer.body, answer.properties.correlation_id]).toEqual(['4', 'c7'])
    await question!.ack()
    await producer.publish('hello', { routingKey: 'q' })
    const statement = await consumer.next()
    await expect(producer.reply(statement!, 4)).rejects.toThrow('the message asks for no answer')
  })
})

describe('a message producer', () => {
  test('takes a body of any content type as it is', async () => {
    const { connection, producer } = setUp()
    await producer.publish('<a/>', { routingKey: 'q', contentType: 'text/xml' })
    expect(await nextMessage(connection, 'q')).toMatchObject({
      body: '<a/>',
      contentType: 'text/xml',
      contentEncoding: 'utf-8',
    })
    await expect(producer.publish({ a: 1 }, { contentType: 'text/xml' })).rejects.toThrow('must be text or bytes')
  })

  test('sends nothing that cannot be written, in a format or compression that is not known', async () => {
    const { transport, producer } = setUp()
    await expect(producer.publish(1n, { serializer: 'text' })).rejects.toMatchObject({ code: 'ERR_CELERY_ENCODE' })
    await expect(producer.publish(1, { serializer: 'nope' })).rejects.toMatchObject({
      code: 'ERR_CELERY_UNKNOWN_SERIALIZER',
    })
    await expect(producer.publish(1, { compression: 'nope' })).rejects.toMatchObject({
      code: 'ERR_CELERY_UNKNOWN_COMPRESSION',
    })
    expect(transport.calls).toEqual([])
  })

  test('declares what it publishes to once for each connection', async () => {
    const exchange = new Exchange('media')
    const queue = new Queue('q', { exchange, routingKey: 'key' })
    const { transport, connection, producer } = setUp({ exchange, routingKey: 'key' })
    for (const body of ['1', '2', '3']) await producer.publish(body, { declare: [queue], mandatory: true })
    expect(transport.sizes('declareQueue')).toHaveLength(1)
    await transport.cut()
    await connection.discard(await connection.broker())
    await producer.publish('4', { declare: [queue], mandatory: true })
    expect(transport.sizes('declareQueue')).toHaveLength(2)
    expect((await queue.info(connection)).ready).toBe(4)
  })

  test('declares an exchange again that was deleted meanwhile', async () => {
    const exchange = new Exchange('media')
    const queue = new Queue('q', { exchange, routingKey: 'key' })
    const { transport, connection, producer } = setUp({ exchange, routingKey: 'key' })
    await producer.publish('1', { declare: [queue], mandatory: true })
    await exchange.delete(await transport.direct())
    await producer.publish('2', { declare: [queue], mandatory: true })
    expect((await queue.info(connection)).ready).toBe(2)
  })

  test('refuses a priority that no broker has', async () => {
    const { producer, transport } = setUp()
    const publishing = producer.publish('1', { routingKey: 'q', priority: 900 })
    await expect(publishing).rejects.toThrow('the priority of a message must be an integer from 0 to 255, got 900')
    expect(transport.sizes('publish')).toEqual([])
  })

  test('leaves an exchange alone without autoDeclare', async () => {
    const { producer } = setUp({ exchange: new Exchange('media'), autoDeclare: false })
    await expect(producer.publish('1')).rejects.toMatchObject({ code: 'ERR_CELERY_UNKNOWN_EXCHANGE' })
  })

  test('tries again by its policy, or the one of the call', async () => {
    const clock = new ManualClock()
    const { transport, producer } = setUp({ retryPolicy: { intervalStart: 0, intervalStep: 0 } })
    expect(clock.pending).toBe(0)
    const lost = { type: 'refuse', error: new ConnectionLostError('faulty://') } as const
    transport.inject('publish', lost, lost, lost)
    await producer.publish('1', { routingKey: 'q' })
    expect(transport.sizes('publish')).toHaveLength(4)
    transport.inject('publish', lost)
    await expect(producer.publish('2', { routingKey: 'q', retryPolicy: null })).rejects.toBe(lost.error)
    expect(transport.sizes('publish')).toHaveLength(5)
  })

  test('is bounded in time, declarations included', async () => {
    const { transport, producer } = setUp({ publishTimeoutMs: 60_000 })
    transport.inject('declareQueue', { type: 'hang' })
    const declaring = producer.publish('1', { routingKey: 'q', declare: [new Queue('q')], timeoutMs: 20 })
    await expect(declaring).rejects.toMatchObject({ code: 'ERR_CELERY_PUBLISH_TIMEOUT', timeoutMs: 20 })
    transport.inject('publish', { type: 'hang' })
    const publishing = producer.publish('1', { routingKey: 'q', declare: [new Queue('q')], timeoutMs: 200 })
    await expect(publishing).rejects.toMatchObject({ code: 'ERR_CELERY_PUBLISH_TIMEOUT', timeoutMs: 200 })
  })
})

describe('a message that is held back until a time', () => {
  /** A connection to a broker that cannot hold back what is published. */
  function withoutDelays(): Connection {
    const memory = memoryTransport()
    const transports = new TransportRegistry().register('memory', async () => ({
      ...memory,
      async open(address, options) {
        const broker = await memory.open(address, options)
        return Object.assign(broker, { capabilities: { ...broker.capabilities, delayedPublish: false } })
      },
    }))
    const connection = new Connection({ urls: ['memory://'], transports })
    onTestFinished(() => connection.close())
    return connection
  }

  test('is refused where nobody would hold it back, and nothing is published', async () => {
    const connection = withoutDelays()
    const producer = new MessageProducer({ connection, routingKey: 'q' })
    await expect(producer.publish(1, { notBeforeMs: Date.now() + 60_000 })).rejects.toMatchObject({
      code: 'ERR_CELERY_UNSUPPORTED_BY_TRANSPORT',
      transport: 'memory',
    })
    expect(await new Queue('q').info(connection)).toMatchObject({ ready: 0, delayed: 0 })
    await producer.publish(2)
    expect(await new Queue('q').info(connection)).toMatchObject({ ready: 1 })
  })

  test('is held back by a broker that can', async () => {
    const { connection, producer } = setUp({ routingKey: 'q' })
    await producer.publish(1, { notBeforeMs: Date.now() + 3_600_000 })
    expect(await new Queue('q').info(connection)).toMatchObject({ ready: 0, delayed: 1 })
  })

  test('P-5 rejects in time where no connection comes about', async () => {
    const { producer, transport } = setUp({ publishTimeoutMs: 50 })
    transport.inject('open', { type: 'hang' })
    await expect(producer.publish(1, { notBeforeMs: Date.now() + 60_000 })).rejects.toMatchObject({
      code: 'ERR_CELERY_PUBLISH_TIMEOUT',
    })
  })
})
