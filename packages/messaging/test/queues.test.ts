import { describe, expect, test } from 'vitest'
import { Broadcast, Exchange, MessageProducer, Queue } from '../src/index.ts'
import { brokers } from './brokers.ts'
import { setUp as setUpFaulty } from './set-up.ts'

describe.each(brokers)('queues and exchanges on $name', ({ open }) => {
  test('a queue that is declared gets what is published to its exchange', async () => {
    const connection = open().connect()
    const media = new Exchange('media', { type: 'topic' })
    const video = new Queue('video', { exchange: media, routingKey: 'video.#' })
    await video.declare(connection)
    const producer = new MessageProducer({ connection, exchange: media })
    await producer.publish('a', { routingKey: 'video.cat' })
    await producer.publish('b', { routingKey: 'image.cat' })
    expect((await video.info(connection)).ready).toBe(1)
  })

  test('a queue has several ways in', async () => {
    const connection = open().connect()
    const [one, two] = [new Exchange('one'), new Exchange('two')]
    const queue = new Queue('q', { exchange: one, routingKey: 'a', bindings: [{ exchange: two, routingKey: 'b' }] })
    await queue.declare(connection)
    const producer = new MessageProducer({ connection })
    await producer.publish('1', { exchange: one, routingKey: 'a', mandatory: true })
    await producer.publish('2', { exchange: two, routingKey: 'b', mandatory: true })
    await expect(producer.publish('3', { exchange: two, routingKey: 'a', mandatory: true })).rejects.toMatchObject({
      code: 'ERR_CELERY_UNROUTABLE',
    })
    expect((await queue.info(connection)).ready).toBe(2)
  })

  test('a way in can be opened and closed later', async () => {
    const connection = open().connect()
    const [exchange, queue] = [new Exchange('later'), new Queue('q')]
    await exchange.declare(connection)
    await queue.declare(connection)
    const producer = new MessageProducer({ connection, exchange, routingKey: 'key' })
    await queue.bindTo(connection, { exchange, routingKey: 'key' })
    await producer.publish('1', { mandatory: true })
    await queue.unbindFrom(connection, { exchange, routingKey: 'key' })
    await expect(producer.publish('2', { mandatory: true })).rejects.toMatchObject({ code: 'ERR_CELERY_UNROUTABLE' })
    expect((await queue.info(connection)).ready).toBe(1)
  })

  test('is emptied and removed, and says how many messages that cost', async () => {
    const connection = open().connect()
    const queue = new Queue('q')
    const producer = new MessageProducer({ connection, routingKey: 'q' })
    for (const body of ['1', '2', '3']) await producer.publish(body)
    expect(await queue.purge(connection)).toBe(3)
    await producer.publish('4')
    expect(await queue.delete(connection)).toBe(1)
    expect((await queue.info(connection)).ready).toBe(0)
  })

  test('an exchange that was removed takes no messages', async () => {
    const connection = open().connect()
    const exchange = new Exchange('gone')
    await exchange.declare(connection)
    await exchange.delete(connection)
    await expect(new MessageProducer({ connection }).publish('1', { exchange: 'gone' })).rejects.toMatchObject({
      code: 'ERR_CELERY_UNKNOWN_EXCHANGE',
    })
  })

  test('an exchange of another type is refused', async () => {
    const connection = open().connect()
    await new Exchange('x', { type: 'direct' }).declare(connection)
    await expect(new Exchange('x', { type: 'topic' }).declare(connection)).rejects.toMatchObject({
      code: 'ERR_CELERY_EXCHANGE_MISMATCH',
    })
  })

  test('messages go away after their time to live', async () => {
    const connection = open().connect()
    const queue = new Queue('brief', { messageTtl: 0 })
    await queue.declare(connection)
    await new MessageProducer({ connection, routingKey: 'brief' }).publish('1')
    expect((await queue.info(connection)).ready).toBe(0)
  })

  test('a broadcast reaches every program that has a queue of its own', async () => {
    const connection = open().connect()
    const programs = [new Broadcast('news'), new Broadcast('news'), new Broadcast('news', { queue: 'named' })]
    for (const queue of programs) await queue.declare(connection)
    await new MessageProducer({ connection }).publish('hear ye', { exchange: 'news' })
    for (const queue of programs) expect((await queue.info(connection)).ready).toBe(1)
    expect(new Set(programs.map(({ name }) => name)).size).toBe(3)
  })

  test('CALL-040 a broadcast of which something is changed is still one, with the same queue', () => {
    const made = new Broadcast('news', { unique: true, expires: 60 })
    const changed = made.with({ maxPriority: 5 })
    expect(changed).toBeInstanceOf(Broadcast)
    expect([changed.name, changed.alias, changed.exchange?.type]).toEqual([made.name, 'news', 'fanout'])
    expect(changed.declaration).toEqual(
      new Broadcast('news', { queue: made.name, expires: 60, maxPriority: 5 }).declaration,
    )
    expect(changed.declaration).not.toEqual(made.declaration)
  })

  test('a broadcast queue goes away with its program', async () => {
    const broker = open()
    const [program, other] = [broker.connect(), broker.connect()]
    const queue = new Broadcast('news')
    await queue.declare(program)
    await (await program.broker())
      .fetch([queue.name], { max: 1, signal: AbortSignal.abort('enough') })
      .catch((reason: unknown) => expect(reason).toBe('enough'))
    const producer = new MessageProducer({ connection: other, exchange: 'news' })
    await producer.publish('1', { mandatory: true })
    const [delivery] = await (await program.broker()).fetch([queue.name], {
      max: 1,
      signal: AbortSignal.timeout(20_000),
    })
    expect(delivery?.queue).toBe(queue.name)
    await program.close()
    await expect(producer.publish('2', { mandatory: true })).rejects.toMatchObject({ code: 'ERR_CELERY_UNROUTABLE' })
  })
})

describe('a queue', () => {
  test('tells the broker what it is told, seconds as milliseconds and limits by their names', () => {
    const queue = new Queue('q', {
      expires: 1.5,
      messageTtl: 60,
      maxLength: 10,
      maxLengthBytes: 2_048,
      maxPriority: 9,
      arguments: { 'x-queue-type': 'classic' },
    })
    expect(queue.declaration).toEqual({
      name: 'q',
      durable: true,
      exclusive: false,
      autoDelete: false,
      expiresMs: 1_500,
      messageTtlMs: 60_000,
      arguments: { 'x-queue-type': 'classic', 'x-max-length': 10, 'x-max-length-bytes': 2_048, 'x-max-priority': 9 },
    })
  })

  test('that is exclusive goes away by itself', () => {
    expect(new Queue('q', { exclusive: true, durable: false }).declaration).toMatchObject({
      exclusive: true,
      autoDelete: true,
      durable: false,
    })
  })

  test('needs a name, and limits that make sense', () => {
    expect(() => new Queue('')).toThrow('a queue needs a name')
    expect(() => new Queue('q', { expires: -1 })).toThrow('expires of a queue must be 0 or more, got -1')
    expect(() => new Queue('q', { maxLength: Number.NaN })).toThrow('maxLength of a queue must be 0 or more, got NaN')
    for (const maxPriority of [-1, 1.5, 256]) {
      const problem = `maxPriority of a queue must be an integer from 0 to 255, got ${maxPriority}`
      expect(() => new Queue('q', { maxPriority })).toThrow(problem)
    }
  })

  test('knows where to publish to reach it', () => {
    const exchange = new Exchange('media')
    expect(new Queue('q').address).toEqual({ exchange: '', routingKey: 'q' })
    expect(new Queue('q', { exchange, routingKey: 'key' }).address).toEqual({ exchange, routingKey: 'key' })
  })

  test('survives being written down and read again', () => {
    const exchange = new Exchange('media', {
      type: 'headers',
      durable: false,
      arguments: { 'alternate-exchange': 'x' },
    })
    const queue = new Queue('q', {
      exchange,
      routingKey: 'key',
      bindingArguments: { 'x-match': 'all', format: 'pdf' },
      bindings: [{ exchange: new Exchange('other', { type: 'topic' }), routingKey: '#' }],
      messageTtl: 3,
      noAck: true,
      alias: 'docs',
    })
    const copy = Queue.from(JSON.parse(JSON.stringify(queue)) as ReturnType<Queue['toJSON']>)
    expect(copy.declaration).toEqual(queue.declaration)
    expect(copy.bindings).toEqual(queue.bindings)
    expect(copy.toJSON()).toEqual(queue.toJSON())
    expect([copy.noAck, copy.alias, String(copy)]).toEqual([true, 'docs', 'queue "q" (docs)'])
  })

  test('hands the arguments of a headers binding to the driver', async () => {
    const { transport, connection } = setUpFaulty()
    const broker = await connection.broker()
    const bound: unknown[] = []
    const watched = new Proxy(broker, {
      get(target, name) {
        if (name === 'declareExchange') return async () => {}
        if (name === 'bindQueue') return async (binding: unknown) => void bound.push(binding)
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const exchange = new Exchange('docs', { type: 'headers' })
    const bindingArguments = { 'x-match': 'any', format: 'pdf' }
    await new Queue('q', { exchange, bindingArguments }).declare(watched)
    expect(bound).toEqual([{ queue: 'q', exchange: 'docs', routingKey: '', arguments: bindingArguments }])
    expect(transport.openConnections).toBe(1)
  })

  test('of a headers exchange is refused where the broker has none', async () => {
    const { connection } = setUpFaulty()
    await expect(new Exchange('docs', { type: 'headers' }).declare(connection)).rejects.toMatchObject({
      code: 'ERR_CELERY_UNSUPPORTED_BY_TRANSPORT',
    })
  })

  test('is left alone where somebody else declares it', async () => {
    const { transport, connection } = setUpFaulty()
    await new Queue('q', { noDeclare: true }).declare(connection)
    await new Exchange('x', { noDeclare: true }).declare(connection)
    await new Exchange('amq.topic', { type: 'topic' }).declare(connection)
    await new Exchange('').declare(connection)
    expect(transport.calls).toEqual([])
  })

  test('tells what is in it once it is declared', async () => {
    const { connection } = setUpFaulty()
    const infos: unknown[] = []
    await new Queue('q', { onDeclared: (info) => infos.push(info) }).declare(connection)
    expect(infos).toEqual([{ name: 'q', ready: 0, delayed: 0, held: 0 }])
  })

  test('is declared again where the connection was lost meanwhile', async () => {
    const { transport, connection } = setUpFaulty()
    transport.inject('declareQueue', { type: 'lose answer' })
    await new Queue('q').declare(connection)
    expect(transport.sizes('declareQueue')).toHaveLength(2)
    expect(transport.sizes('open')).toHaveLength(2)
  })
})
