import { type Clock, type Deferred, deferred, ManualClock } from '@celery/promises'
import { BrokerBusyError, ConnectionClosedError, ConnectionLostError, type QueueDeclaration } from '@celery/transport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Consumer, type ConsumerOptions, type IncomingMessage } from '../src/index.ts'
import { held, passPause, publication, ready, setUp as setUpConnection } from './set-up.ts'

const lost = new ConnectionLostError('faulty://')

interface SetUpOptions {
  readonly room?: number
  /** Deliveries outlive their connection. */
  readonly sessions?: boolean
}

/** A consumer with room for `room` messages, and all it was given. */
function setUp({ sessions = false, ...options }: Partial<ConsumerOptions> & SetUpOptions = {}) {
  const { transport, connection } = setUpConnection({ sessions })
  const received: IncomingMessage[] = []
  const errors: unknown[] = []
  const state = { room: options.room ?? 100 }
  let changed: Deferred<void> = deferred()
  const consumer = new Consumer({
    connection,
    queues: [{ name: 'q' }],
    capacity: () => state.room,
    onMessages(messages) {
      received.push(...messages)
      state.room -= messages.length
      changed.resolve()
      changed = deferred()
    },
    onError: (error) => void errors.push(error),
    ...options,
  })
  onTestFinished(() => consumer.stop())
  /** Resolves when `count` messages have come in all. */
  async function until(count: number): Promise<void> {
    while (received.length < count) await changed.promise
  }
  async function publish(...bodies: readonly string[]): Promise<void> {
    const broker = await transport.direct()
    await broker.publish(bodies.map((body) => publication(body)))
  }
  const bodies = (): string[] => received.map(({ message }) => String(message?.body))
  return { transport, connection, consumer, received, bodies, errors, state, until, publish }
}

describe('a consumer', () => {
  test('declares its queues before it says that it has started, then gets their messages in order', async () => {
    const queues: QueueDeclaration[] = [{ name: 'q' }, { name: 'other' }]
    const { transport, consumer, bodies, until, publish } = setUp({ queues })
    await consumer.start()
    expect(transport.calls.slice(0, 3).map(({ operation }) => operation)).toEqual([
      'open',
      'declareQueue',
      'declareQueue',
    ])
    await publish('1', '2', '3')
    await until(3)
    expect(bodies()).toEqual(['1', '2', '3'])
    await (await transport.direct()).publish([publication('4', 'other')])
    await until(4)
    expect(bodies()[3]).toBe('4')
  })

  test('gets many in parts, each of them once and in order', async () => {
    const sizes: number[] = []
    const received: string[] = []
    const all = deferred()
    const { consumer, publish } = setUp({
      capacity: () => 1_000 - received.length,
      onMessages(messages) {
        sizes.push(messages.length)
        received.push(...messages.map(({ message }) => String(message?.body)))
        if (received.length === numbers.length) all.resolve()
      },
    })
    const numbers = Array.from({ length: 333 }, (_, n) => String(n))
    await publish(...numbers)
    await consumer.start()
    await all.promise
    expect(received).toEqual(numbers)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(50)
  })

  test('tells when it consumes, on every connection', async () => {
    const brokers: unknown[] = []
    let consuming = deferred()
    const { transport, consumer } = setUp({
      onConsuming(broker) {
        brokers.push(broker)
        consuming.resolve()
      },
    })
    await consumer.start()
    expect(brokers).toHaveLength(1)
    consuming = deferred()
    await transport.cut()
    await consuming.promise
    expect(brokers[1]).not.toBe(brokers[0])
  })

  test('asks for more before it hands out what came, where it is to, and there is room beside that', async () => {
    const fetchesAt: (readonly number[])[] = []
    const { transport, consumer, bodies, received, publish } = setUp({
      ahead: true,
      capacity: (coming) => Math.min(2, 4 - coming - received.length),
      onMessages(messages) {
        fetchesAt.push(transport.sizes('fetch'))
        received.push(...messages)
        changed.resolve()
        changed = deferred()
      },
    })
    let changed = deferred()
    await publish('1', '2', '3', '4', '5')
    await consumer.start()
    while (received.length < 4) await changed.promise
    expect(bodies()).toEqual(['1', '2', '3', '4'])
    expect(fetchesAt).toEqual([
      [2, 2],
      [2, 2],
    ])
    const broker = await transport.direct()
    expect([await held(broker), await ready(broker)]).toEqual([4, 1])
  })

  test.each(['stopped', 'given other queues'])(
    'loses nothing that it has asked for ahead when it is %s',
    async (change) => {
      const { transport, consumer, received, publish } = setUp({
        ahead: true,
        capacity: () => 2,
        onMessages(messages) {
          received.push(...messages)
          if (change === 'stopped') stopping ??= consumer.stop()
          else consumer.setQueues([])
        },
      })
      let stopping: Promise<void> | undefined
      await publish('1', '2', '3', '4', '5')
      await consumer.start()
      while (received.length === 0) await new Promise(setImmediate)
      await (stopping ?? consumer.stop())
      const broker = await transport.direct()
      expect([await held(broker), await ready(broker)]).toEqual([received.length, 5 - received.length])
    },
  )

  test('survives that a fetch it has asked for ahead fails while messages are handed out', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    const { transport, consumer, bodies, errors, until, publish } = setUp({ ahead: true, sessions: true })
    await publish('1')
    transport.inject('fetch', { type: 'delay', until: Promise.resolve() }, { type: 'refuse', error: lost })
    await consumer.start()
    await until(1)
    await publish('2')
    await until(2)
    expect([bodies(), unhandled]).toEqual([['1', '2'], []])
    expect(errors).toEqual([lost])
  })

  test('hands out what came where capacity fails beside that', async () => {
    const failure = new TypeError('this pool cannot say')
    const { consumer, bodies, errors, state, until, publish } = setUp({
      ahead: true,
      capacity: (coming) => {
        if (coming > 0) throw failure
        return state.room
      },
    })
    await publish('1', '2')
    await consumer.start()
    await until(2)
    expect([bodies(), errors]).toEqual([['1', '2'], [failure]])
  })

  test('never takes more than there is room for', async () => {
    const { transport, consumer, bodies, state, until, publish } = setUp({ room: 2 })
    await publish('1', '2', '3', '4', '5')
    await consumer.start()
    await until(2)
    const broker = await transport.direct()
    expect([await held(broker), await ready(broker)]).toEqual([2, 3])
    expect(transport.sizes('fetch')).toEqual([2])
    state.room = 1
    consumer.wake()
    await until(3)
    expect(transport.sizes('fetch')).toEqual([2, 1])
    state.room = 10
    consumer.wake()
    await until(5)
    expect(bodies()).toEqual(['1', '2', '3', '4', '5'])
  })

  test('takes nothing while there is no room, however often it is woken', async () => {
    const { transport, consumer, publish } = setUp({ room: 0 })
    await publish('1')
    await consumer.start()
    for (let times = 0; times < 3; times++) {
      consumer.wake()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(transport.sizes('fetch')).toEqual([])
  })

  test('may be woken before it starts', async () => {
    const { consumer, bodies, until, publish } = setUp()
    consumer.wake()
    await consumer.start()
    await publish('1')
    await until(1)
    expect(bodies()).toEqual(['1'])
  })

  test('started twice is one consumer, and started both times when the queues are declared', async () => {
    const { transport, consumer } = setUp()
    const gate = deferred()
    transport.inject('declareQueue', { type: 'delay', until: gate.promise })
    const first = consumer.start()
    let started = false
    const second = consumer.start().then(() => {
      started = true
    })
    await transport.called('declareQueue')
    expect(started).toBe(false)
    gate.resolve()
    await Promise.all([first, second])
    expect(transport.sizes('open')).toHaveLength(1)
  })
})

describe('what cannot be decoded', () => {
  test('is handed over with the error and the delivery, and does no harm to the rest', async () => {
    const { transport, connection, consumer, received, until } = setUp()
    const broker = await connection.broker()
    transport.rewrite = (payload) => (String(payload).includes('bad-one') ? '{"not": "an envelope"}' : payload)
    const marked = publication('x')
    await broker.publish([
      publication('1'),
      { ...marked, message: { ...marked.message, headers: { mark: 'bad-one' } } },
      publication('3'),
    ])
    await consumer.start()
    await until(3)
    expect(received.map(({ error }) => error?.name)).toEqual([undefined, 'InvalidEnvelopeError', undefined])
    const { delivery } = received[1]!
    await broker.settle([{ delivery, action: { type: 'dead', reason: 'not readable' } }])
    expect(await ready(broker, 'q.dead')).toBe(1)
  })

  test('a message that the broker has decoded itself is taken as it is', async () => {
    const { transport, connection, consumer, received, until } = setUp()
    const { message } = publication('1')
    transport.rewrite = () => message
    await (await connection.broker()).publish([publication('1')])
    await consumer.start()
    await until(1)
    expect(received[0]!.message).toBe(message)
  })
})

describe('stopping', () => {
  test('ends the wait for a message; none comes after that', async () => {
    const { transport, consumer, received, publish } = setUp()
    await consumer.start()
    await transport.called('fetch')
    await consumer.stop()
    await publish('1')
    const broker = await transport.direct()
    expect(received).toEqual([])
    expect([await ready(broker), await held(broker)]).toEqual([1, 0])
  })

  test('ends the wait for room', async () => {
    const { transport, consumer, received, publish } = setUp({ room: 0 })
    await consumer.start()
    await publish('1')
    await consumer.stop()
    expect(received).toEqual([])
    expect(transport.sizes('fetch')).toEqual([])
  })

  test('ends the wait for the broker, and with it the start', async () => {
    const { transport, consumer, errors } = setUp()
    transport.reach('', false)
    const started = consumer.start()
    await transport.called('open')
    await consumer.stop()
    await started
    expect(errors).toEqual([])
    expect(transport.sizes('declareQueue')).toEqual([])
  })

  test('P-5 ends the wait for a driver that does not come to an end of a lost connection', async () => {
    const { transport, consumer } = setUp()
    transport.inject('close', { type: 'hang' })
    await consumer.start()
    await transport.called('fetch')
    await transport.cut()
    await transport.called('close')
    await consumer.stop()
    await consumer.closed
  })

  test('is safe twice and before the start, after which nothing starts', async () => {
    const { transport, consumer } = setUp()
    await consumer.stop()
    await consumer.stop()
    await consumer.start()
    expect(transport.calls).toEqual([])
  })

  test('hands over every message that was taken: none is held by nobody', async () => {
    const { transport, consumer, received, state, publish } = setUp()
    await publish(...Array.from({ length: 50 }, (_, index) => String(index)))
    state.room = 7
    await consumer.start()
    await consumer.stop()
    const broker = await transport.direct()
    expect(await held(broker)).toBe(received.length)
    expect((await ready(broker)) + received.length).toBe(50)
  })
})

describe('when the connection is lost', () => {
  test('the same queues are declared and consumed on the next one', async () => {
    const queues: QueueDeclaration[] = [
      { name: 'q', exclusive: true },
      { name: 'other', exclusive: true },
    ]
    const { transport, consumer, bodies, errors, until, publish } = setUp({ queues })
    await consumer.start()
    await transport.called('fetch')
    await transport.cut()
    await transport.called('fetch', 2)
    await publish('1')
    await until(1)
    expect(bodies()).toEqual(['1'])
    expect(transport.sizes('declareQueue')).toHaveLength(4)
    expect(errors).toMatchObject([{ code: 'ERR_CELERY_CONNECTION_LOST' }])
    expect([transport.mostOpen, transport.openConnections]).toEqual([1, 1])
  })

  test('what was not settled comes again', async () => {
    const { transport, consumer, bodies, until, publish } = setUp()
    await publish('1')
    await consumer.start()
    await until(1)
    await transport.cut()
    await until(2)
    expect(bodies()).toEqual(['1', '1'])
  })

  test('what comes while nobody is connected is there afterwards', async () => {
    const { transport, consumer, bodies, until, publish } = setUp()
    await consumer.start()
    transport.reach('', false)
    await transport.cut()
    await publish('1')
    await transport.called('open', 2)
    transport.reach('', true)
    await until(1)
    expect(bodies()).toEqual(['1'])
  })

  test('one that has started goes on whatever keeps it from the next connection', async () => {
    const { transport, consumer, bodies, until, publish } = setUp()
    await consumer.start()
    transport.inject('open', { type: 'refuse', error: new RangeError('nobody has heard of this') })
    await transport.cut()
    await publish('1')
    await until(1)
    expect(bodies()).toEqual(['1'])
  })

  test('a start goes on until there is a broker', async () => {
    const { transport, consumer } = setUp()
    transport.inject('open', { type: 'refuse', error: lost }, { type: 'refuse', error: lost })
    await consumer.start()
    expect(transport.sizes('open')).toHaveLength(3)
  })

  test('also while a queue is declared, it goes on', async () => {
    const { transport, consumer, bodies, errors, until, publish } = setUp()
    transport.inject('declareQueue', { type: 'refuse', error: lost })
    await consumer.start()
    await publish('1')
    await until(1)
    expect(bodies()).toEqual(['1'])
    expect(errors).toEqual([lost])
  })

  test('a broker that is only busy keeps its connection, and what is held stays held', async () => {
    const { transport, consumer, bodies, errors, state, until, publish } = setUp({ room: 1 })
    await publish('1')
    await consumer.start()
    await until(1)
    const busy = new BrokerBusyError('faulty://', 'locked')
    transport.inject('fetch', { type: 'refuse', error: busy }, { type: 'refuse', error: busy })
    state.room = 1
    consumer.wake()
    await publish('2')
    await until(2)
    expect(bodies()).toEqual(['1', '2'])
    expect(errors).toEqual([busy, busy])
    expect(transport.sizes('open')).toHaveLength(1)
  })

  test('F-17 a broker that accepts and fails at once is asked again at once, then less and less often', async () => {
    const clock = new ManualClock()
    // Nothing but its pauses is to be timed.
    const { transport, bodies, consumer, errors, publish, until } = setUp({ clock, checkMs: Infinity })
    const longest = [0, 100, 200, 400, 800, 1_500, 1_500]
    transport.inject('fetch', ...longest.map(() => ({ type: 'refuse', error: lost }) as const))
    await consumer.start()
    for (const [index, longestMs] of longest.entries()) {
      const pauseMs = await passPause(clock)
      expect(pauseMs).toBeGreaterThanOrEqual(longestMs * 0.75)
      expect(pauseMs).toBeLessThanOrEqual(longestMs + 1)
      expect(transport.sizes('fetch')).toHaveLength(index + 1)
      await transport.called('fetch', index + 2)
    }
    await publish('1')
    await until(1)
    expect(bodies()).toEqual(['1'])
    expect(errors).toHaveLength(longest.length)
    // It has delivered something: the next failure is the first.
    transport.inject('fetch', { type: 'refuse', error: lost })
    await publish('2')
    expect(await passPause(clock)).toBeLessThanOrEqual(1)
    await until(2)
  })
})

describe('a check of what it has', () => {
  const checkMs = 30_000

  test('declares its queues again and goes on waiting, on the same connection', async () => {
    const clock = new ManualClock()
    const { transport, bodies, consumer, errors, publish, until } = setUp({ clock })
    await consumer.start()
    await transport.called('fetch')
    const broker = await transport.direct()
    await broker.deleteQueue('q')
    await clock.advanceAsync(checkMs)
    await transport.called('fetch', 2)
    expect(transport.sizes('declareQueue')).toHaveLength(2)
    await publish('1')
    await until(1)
    expect(bodies()).toEqual(['1'])
    expect(errors).toEqual([])
    expect(transport.sizes('open')).toHaveLength(1)
  })

  test('comes also while there is always something to fetch', async () => {
    const clock = new ManualClock()
    const { transport, consumer, publish, until } = setUp({ clock })
    await consumer.start()
    for (let message = 1; message <= 4; message++) {
      await transport.called('fetch', message)
      await publish(String(message))
      await until(message)
      await clock.advanceAsync(checkMs / 3)
    }
    await transport.called('declareQueue', 2)
  })

  test('comes also where what is asked for ahead never runs dry, faster than any timer', async () => {
    let nowMs = 0
    const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, schedule: () => () => {} }
    const onMessages = (): void => {
      nowMs += checkMs / 4
    }
    const { transport, consumer, publish } = setUp({ ahead: true, clock, capacity: () => 1, onMessages })
    await publish(...'12345678')
    await consumer.start()
    await transport.called('declareQueue', 2)
  })

  test('that the broker does not like is told of, and what was declared before is still consumed', async () => {
    const clock = new ManualClock()
    const setbacks: unknown[] = []
    const onSetback = (error: unknown): void => void setbacks.push(error)
    const { transport, bodies, consumer, errors, publish, until } = setUp({ clock, onSetback })
    await consumer.start()
    await transport.called('fetch')
    const refusal = new Error('it is declared otherwise now')
    transport.inject('declareQueue', { type: 'refuse', error: refusal })
    await clock.advanceAsync(checkMs)
    await publish('1')
    await until(1)
    expect(bodies()).toEqual(['1'])
    expect(setbacks).toEqual([refusal])
    expect(errors).toEqual([])
    expect(transport.sizes('open')).toHaveLength(1)
  })

  test('F-32 finds a driver that does not even end its wait: the connection is given up', async () => {
    const clock = new ManualClock()
    const { transport, bodies, consumer, errors, publish, until } = setUp({ clock })
    transport.inject('fetch', { type: 'hang' })
    await consumer.start()
    await transport.called('fetch')
    await clock.advanceAsync(checkMs)
    expect(transport.sizes('open')).toHaveLength(1)
    await clock.advanceAsync(30_000)
    await transport.called('fetch', 2)
    expect(transport.sizes('open')).toHaveLength(2)
    expect(errors).toMatchObject([{ code: 'ERR_CELERY_CONNECTION_LOST', message: expect.stringContaining('30000 ms') }])
    await publish('1')
    await until(1)
    expect(bodies()).toEqual(['1'])
  })

  test('F-32 finds a driver that does not answer a declaration', async () => {
    const { transport, bodies, consumer, errors, publish, until } = setUp({ answerTimeoutMs: 50 })
    transport.inject('declareQueue', { type: 'hang' })
    await consumer.start()
    await publish('1')
    await until(1)
    expect(bodies()).toEqual(['1'])
    expect(errors).toMatchObject([{ code: 'ERR_CELERY_CONNECTION_LOST' }])
    expect(transport.sizes('open')).toHaveLength(2)
  })

  test('gives back what a wait brings that was given up, over the connection there is then', async () => {
    const clock = new ManualClock()
    const { transport, consumer, publish, until, bodies } = setUp({ clock, sessions: true })
    const late = deferred()
    await publish('1')
    transport.inject('fetch', { type: 'late', until: late.promise })
    await consumer.start()
    await transport.called('fetch')
    await clock.advanceAsync(checkMs)
    await clock.advanceAsync(30_000)
    await transport.called('fetch', 2)
    expect(bodies()).toEqual([])
    late.resolve()
    await until(1)
    expect(bodies()).toEqual(['1'])
  })
})

describe('what no new connection can help', () => {
  test('fails the start: a scheme without driver', async () => {
    const { connection } = setUpConnection({ urls: ['unknown://'] })
    const { consumer, errors } = setUp({ connection })
    await expect(consumer.start()).rejects.toMatchObject({ code: 'ERR_CELERY_UNKNOWN_TRANSPORT' })
    expect(errors).toHaveLength(1)
    await consumer.stop()
  })

  test('fails the start: a queue that the broker refuses to declare', async () => {
    const { transport, consumer } = setUp()
    const refused = new Error('the queue exists with another type')
    transport.inject('declareQueue', { type: 'refuse', error: refused })
    await expect(consumer.start()).rejects.toBe(refused)
    expect(transport.sizes('declareQueue')).toHaveLength(1)
    await consumer.stop()
  })

  test('a connection closed by its owner ends the consumer', async () => {
    const clock = new ManualClock()
    const { transport, connection } = setUpConnection()
    const { consumer, errors } = setUp({ connection, clock })
    await consumer.start()
    await transport.called('fetch')
    await connection.close()
    // The fetch failed, then the search for another connection, and that was the last one.
    await clock.advanceAsync(3_600_000)
    expect(errors).toEqual([expect.any(ConnectionClosedError), expect.any(ConnectionClosedError)])
    expect(clock.pending).toBe(0)
    expect(transport.sizes('open')).toHaveLength(1)
    await consumer.closed
    await consumer.stop()
  })
})
