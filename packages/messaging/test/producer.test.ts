import { deferred } from '@celery/promises'
import { decodeEnvelope } from '@celery/protocol'
import {
  BrokerBusyError,
  ConnectionClosedError,
  ConnectionLostError,
  type Publication,
  UnroutableError,
} from '@celery/transport'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Exchange, Producer, type ProducerOptions, PublishTimeoutError, Queue } from '../src/index.ts'
import { publication, ready, setUp as setUpConnection } from './set-up.ts'

const atOnce = { maxRetries: 3, intervalStart: 0, intervalStep: 0, intervalMax: 0 }
const lost = new ConnectionLostError('faulty://')

function setUp(options: Partial<ProducerOptions> = {}) {
  const { transport, connection } = setUpConnection()
  return { transport, connection, producer: new Producer({ connection, ...options }) }
}

/** Addressed to an exchange that nobody declared. */
function unroutable(body: string): Publication {
  return { ...publication(body), exchange: 'nowhere' }
}

describe('publishing', () => {
  test('resolves when the broker has the message', async () => {
    const { transport, producer } = setUp()
    await producer.publish(publication('1'))
    expect(await ready(await transport.direct())).toBe(1)
  })

  test('sends what comes in one turn together, in order', async () => {
    const { transport, producer } = setUp()
    const bodies = ['1', '2', '3', '4', '5']
    await Promise.all(bodies.map((body) => producer.publish(publication(body))))
    expect(transport.sizes('publish')).toEqual([5])
    const broker = await transport.direct()
    const deliveries = await broker.fetch(['q'], { max: 10, signal: AbortSignal.timeout(5_000) })
    expect(deliveries.map(({ payload }) => String(decodeEnvelope(payload as string).body))).toEqual(bodies)
  })

  test('sends what comes while the broker is busy as the next batch, and at most 500 at once', async () => {
    const { transport, producer } = setUp()
    const answer = deferred()
    transport.inject('publish', { type: 'delay', until: answer.promise })
    const first = producer.publish(publication('first'))
    await transport.called('publish')
    const others = Array.from({ length: 501 }, (_, index) => producer.publish(publication(String(index))))
    answer.resolve()
    await Promise.all([first, ...others])
    expect(transport.sizes('publish')).toEqual([1, 500, 1])
  })

  test('is idle only when everything was confirmed', async () => {
    const { transport, producer } = setUp()
    const answer = deferred()
    transport.inject('publish', { type: 'delay', until: answer.promise })
    const published = producer.publish(publication('1'))
    await transport.called('publish')
    let idle = false
    const waiting = producer.idle().then(() => {
      idle = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(idle).toBe(false)
    answer.resolve()
    await Promise.all([published, waiting])
    expect(await ready(await transport.direct())).toBe(1)
  })
})

describe('a publish is bounded (P-5)', () => {
  test('it rejects when the broker does not confirm in time', async () => {
    const { transport, producer } = setUp({ publishTimeoutMs: 20 })
    transport.inject('publish', { type: 'delay', until: deferred().promise })
    const error = await producer.publish(publication('1', 'celery')).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(PublishTimeoutError)
    expect(error).toMatchObject({
      code: 'ERR_CELERY_PUBLISH_TIMEOUT',
      timeoutMs: 20,
      exchange: '',
      routingKey: 'celery',
      message: expect.stringContaining('to queue "celery" within 20 ms'),
    })
  })

  test('it rejects when the driver does not even listen to its signal', async () => {
    const { transport, connection, producer } = setUp({ publishTimeoutMs: 20 })
    await connection.broker()
    transport.inject('publish', { type: 'hang' })
    await expect(producer.publish(publication('1'))).rejects.toBeInstanceOf(PublishTimeoutError)
    await producer.publish(publication('2'), { timeoutMs: 60_000 })
    expect(await ready(await transport.direct())).toBe(1)
  })

  test('F-32 a driver that does not let go of it loses its connection, and the next message gets another one', async () => {
    const { transport, connection } = setUp()
    const producer = new Producer({ connection, publishTimeoutMs: 20, answerTimeoutMs: 20 })
    transport.inject('publish', { type: 'hang' })
    await expect(producer.publish(publication('1'))).rejects.toMatchObject({ code: 'ERR_CELERY_PUBLISH_TIMEOUT' })
    await transport.called('close')
    await new Producer({ connection }).publish(publication('2'))
    expect(transport.sizes('open')).toHaveLength(2)
  })

  test('it rejects when no connection comes about', async () => {
    const { transport, producer } = setUp({ publishTimeoutMs: 20 })
    transport.inject('open', { type: 'delay', until: deferred().promise })
    await expect(producer.publish(publication('1'))).rejects.toBeInstanceOf(PublishTimeoutError)
  })

  test('it rejects when somebody else waits for the same connection without end', async () => {
    const { transport, connection, producer } = setUp({ publishTimeoutMs: 20 })
    const opening = deferred()
    transport.inject('open', { type: 'delay', until: opening.promise })
    const other = connection.untilBroker()
    await transport.called('open')
    await expect(producer.publish(publication('1'))).rejects.toBeInstanceOf(PublishTimeoutError)
    opening.resolve()
    await other
  })

  test('P-5 it rejects while a driver does not come to an end of a lost connection', async () => {
    const { transport, producer } = setUp({ publishTimeoutMs: 20, retryPolicy: atOnce })
    transport.inject('publish', { type: 'refuse', error: lost })
    transport.inject('close', { type: 'hang' })
    await expect(producer.publish(publication('1'))).rejects.toBeInstanceOf(PublishTimeoutError)
    await producer.publish(publication('2'), { timeoutMs: 10_000 })
  })

  test('it rejects while it would try for ever', async () => {
    fakeTime()
    const { transport, producer } = setUp({ publishTimeoutMs: 200, retryPolicy: { ...atOnce, maxRetries: null } })
    transport.reach('', false)
    const publishing = expectTimeout(producer.publish(publication('1', 'a')), 'a')
    for (let ms = 0; ms < 100; ms++) await vi.advanceTimersByTimeAsync(1)
    expect(transport.sizes('open').length).toBeGreaterThan(1)
    await vi.advanceTimersByTimeAsync(100)
    await publishing
  })

  test('a message that came later has its own time, although it travels with one whose time is over', async () => {
    fakeTime()
    const { transport, producer } = setUp({ publishTimeoutMs: 200 })
    const never = deferred().promise
    transport.inject('publish', { type: 'delay', until: never }, { type: 'delay', until: never })
    const first = expectTimeout(producer.publish(publication('1', 'a')), 'a')
    await transport.called('publish')
    await vi.advanceTimersByTimeAsync(50)
    const second = expectTimeout(producer.publish(publication('2', 'b')), 'b')
    await vi.advanceTimersByTimeAsync(50)
    const third = producer.publish(publication('3', 'c'))
    await vi.advanceTimersByTimeAsync(100)
    await first
    // The other two are under way together, until the time of the second is over.
    await transport.called('publish', 2)
    expect(transport.sizes('publish')).toEqual([1, 2])
    await vi.advanceTimersByTimeAsync(50)
    await second
    await third
    expect(await ready(await transport.direct(), 'c')).toBe(1)
  })
})

describe('a lost connection', () => {
  test('is replaced and the message sent again', async () => {
    const { transport, producer } = setUp({ retryPolicy: atOnce })
    transport.inject('publish', { type: 'refuse', error: lost }, { type: 'refuse', error: lost })
    await producer.publish(publication('1'))
    expect([transport.sizes('open'), transport.sizes('publish')]).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ])
    expect(transport.mostOpen).toBe(1)
  })

  test('leaves one message where the broker had it and could not say so', async () => {
    const { transport, producer } = setUp({ retryPolicy: atOnce })
    transport.inject('publish', { type: 'lose answer' }, { type: 'lose answer' })
    await Promise.all([producer.publish(publication('1')), producer.publish(publication('2'))])
    expect(await ready(await transport.direct())).toBe(2)
    expect(transport.sizes('publish')).toEqual([2, 2, 2])
  })

  test('is tried again as often as the policy says, then the error is handed over', async () => {
    const { transport, producer } = setUp({ retryPolicy: { ...atOnce, maxRetries: 2 } })
    transport.reach('', false)
    await expect(producer.publish(publication('1'))).rejects.toBeInstanceOf(ConnectionLostError)
    expect(transport.sizes('open')).toHaveLength(3)
  })

  test('is not tried again without a policy, but the next message gets a new connection', async () => {
    const { transport, producer } = setUp()
    transport.inject('publish', { type: 'refuse', error: lost })
    await expect(producer.publish(publication('1'))).rejects.toBe(lost)
    await producer.publish(publication('2'))
    expect(await ready(await transport.direct())).toBe(1)
  })

  test('is tried again when the policy says: later each time, up to the most', async () => {
    fakeTime()
    const { transport, producer } = setUp({
      retryPolicy: { maxRetries: null, intervalStart: 1, intervalStep: 2, intervalMax: 4 },
    })
    transport.reach('', false)
    const published = expectTimeout(producer.publish(publication('1')), 'q')
    const opened: number[] = []
    for (let second = 0; second <= 10; second++) {
      await vi.advanceTimersByTimeAsync(second === 0 ? 0 : 1_000)
      opened.push(transport.sizes('open').length)
    }
    await published
    // Tried after 0, 1, 1 + 3 and 4 + 4 s, until the 10 s of the timeout are over.
    expect(opened).toEqual([1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4])
  })

  test('P-5 is also one that somebody else has discarded while a message was under way', async () => {
    const { transport, connection, producer } = setUp({ retryPolicy: atOnce })
    const broker = await connection.broker()
    const ended = deferred()
    transport.inject('publish', { type: 'delay', until: ended.promise })
    const published = producer.publish(publication('1'))
    await transport.called('publish')
    await connection.discard(broker)
    ended.reject(new ConnectionClosedError('faulty://'))
    await published
    expect(transport.sizes('open')).toEqual([1, 1])
    expect(await ready(await transport.direct())).toBe(1)
  })

  test('is the error where the policy is at its end, although it was somebody else who discarded it', async () => {
    const { transport, producer } = setUp()
    const discarded = new ConnectionClosedError('faulty://')
    transport.inject('publish', { type: 'refuse', error: discarded })
    const error = await producer.publish(publication('1')).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ConnectionLostError)
    expect(error).toMatchObject({ cause: discarded })
    await producer.publish(publication('2'))
    expect(transport.sizes('open')).toHaveLength(2)
  })

  test('is not one that its owner has closed: nothing is tried again', async () => {
    const { transport, connection, producer } = setUp({ retryPolicy: { ...atOnce, maxRetries: null } })
    await connection.broker()
    const ended = deferred()
    transport.inject('publish', { type: 'delay', until: ended.promise })
    const refused = expect(producer.publish(publication('1'))).rejects.toBeInstanceOf(ConnectionClosedError)
    await transport.called('publish')
    await connection.close()
    ended.reject(new ConnectionClosedError('faulty://'))
    await refused
    expect([transport.sizes('open'), transport.sizes('publish')]).toEqual([[1], [1]])
  })

  test('that one late message ends does not end those that travel singly beside it', async () => {
    const { transport, connection } = setUp()
    const producer = new Producer({ connection, retryPolicy: atOnce, answerTimeoutMs: 20 })
    await connection.broker()
    const ended = deferred()
    transport.inject('publish', { type: 'hang' }, { type: 'delay', until: ended.promise })
    const late = expect(producer.publish(publication('1'), { timeoutMs: 20 })).rejects.toBeInstanceOf(
      PublishTimeoutError,
    )
    await transport.called('publish')
    const beside = producer.publish(publication('2'), { timeoutMs: 60_000 })
    await late
    await transport.called('close')
    ended.reject(new ConnectionClosedError('faulty://'))
    await beside
    expect(await ready(await transport.direct())).toBe(1)
  })

  test('is not what a busy broker is: that one is asked again over the same connection', async () => {
    const { transport, producer } = setUp({ retryPolicy: atOnce })
    transport.inject('publish', { type: 'refuse', error: new BrokerBusyError('faulty://', 'locked') })
    await producer.publish(publication('1'))
    expect([transport.sizes('open'), transport.sizes('publish')]).toEqual([[1], [1, 1]])
  })
})

describe('a message that the broker refuses', () => {
  test('fails alone', async () => {
    const { transport, producer } = setUp()
    const results = await Promise.allSettled(
      [publication('1'), unroutable('2'), publication('3'), unroutable('4')].map((each) => producer.publish(each)),
    )
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
    expect(results[1]).toMatchObject({ reason: { code: 'ERR_CELERY_UNKNOWN_EXCHANGE', exchange: 'nowhere' } })
    expect(await ready(await transport.direct())).toBe(2)
  })

  test('is not tried again', async () => {
    const { transport, connection, producer } = setUp({ retryPolicy: atOnce })
    await (await connection.broker()).declareExchange({ name: 'x', type: 'direct' })
    await expect(producer.publish({ ...publication('1'), exchange: 'x' })).rejects.toBeInstanceOf(UnroutableError)
    expect(transport.sizes('publish')).toEqual([1])
  })
})

describe('what a message needs', () => {
  const post = new Queue('post', { exchange: new Exchange('x'), routingKey: 'k' })
  const declare = [post]
  const letter = (body: string): Publication => ({ ...publication(body, 'k'), exchange: 'x' })

  test('is declared once, also for many that come in one turn, which travel together with the others', async () => {
    const { transport, producer } = setUp()
    const letters = Array.from({ length: 50 }, (_, n) => producer.publish(letter(String(n)), { declare }))
    await Promise.all([producer.publish(publication('1')), ...letters])
    await producer.publish(letter('last'), { declare })
    expect([transport.sizes('declareQueue'), transport.sizes('publish')]).toEqual([[1], [51, 1]])
    expect(await ready(await transport.direct(), 'post')).toBe(51)
  })

  test('is declared again on another connection, for the message that was under way too', async () => {
    const { transport, producer } = setUp({ retryPolicy: atOnce })
    await producer.publish(letter('1'), { declare })
    transport.inject('publish', { type: 'refuse', error: lost })
    await producer.publish(letter('2'), { declare })
    expect([transport.sizes('open'), transport.sizes('declareQueue')]).toEqual([
      [1, 1],
      [1, 1],
    ])
  })

  test('is declared again after somebody has deleted it', async () => {
    const { transport, producer } = setUp()
    await producer.publish(letter('1'), { declare })
    const broker = await transport.direct()
    await broker.deleteQueue('post')
    await Promise.all(['2', '3'].map((body) => producer.publish(letter(body), { declare })))
    expect(await ready(broker, 'post')).toBe(2)
    expect(transport.sizes('declareQueue')).toHaveLength(2)
  })

  test('is declared once more where a message goes nowhere, and no more than that', async () => {
    const { transport, producer } = setUp()
    await producer.publish(letter('1'), { declare })
    const astray = { ...letter('2'), routingKey: 'nobody' }
    await expect(producer.publish(astray, { declare })).rejects.toBeInstanceOf(UnroutableError)
    expect(transport.sizes('declareQueue')).toHaveLength(2)
    expect(await ready(await transport.direct(), 'post')).toBe(1)
  })

  test('keeps no other message back where it cannot be declared', async () => {
    const { transport, producer } = setUp()
    const broker = await transport.direct()
    await broker.declareExchange({ name: 'x', type: 'fanout' })
    const refused = producer.publish(letter('1'), { declare })
    const other = producer.publish(publication('2'))
    await expect(refused).rejects.toMatchObject({ code: 'ERR_CELERY_EXCHANGE_MISMATCH' })
    await other
    expect(await ready(broker)).toBe(1)
  })
})

test('a tag that the caller has given is kept', async () => {
  const { transport, producer } = setUp()
  await producer.publish({ ...publication('1'), tag: 'mine' })
  await producer.publish({ ...publication('1'), tag: 'mine' })
  expect(await ready(await transport.direct())).toBe(1)
})

function fakeTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
}

function expectTimeout(published: Promise<void>, routingKey: string): Promise<void> {
  return expect(published).rejects.toMatchObject({ code: 'ERR_CELERY_PUBLISH_TIMEOUT', routingKey })
}

describe('limits of one message', () => {
  test('a policy of its own is its own', async () => {
    const { transport, producer } = setUp({ retryPolicy: atOnce })
    transport.inject('publish', { type: 'refuse', error: lost }, { type: 'refuse', error: lost })
    await expect(producer.publish(publication('1'), { retryPolicy: null })).rejects.toBe(lost)
    await producer.publish(publication('2'))
    expect(transport.sizes('publish')).toHaveLength(3)
  })

  test('a time of its own is its own, and is waited for', async () => {
    const { transport, producer } = setUp({ publishTimeoutMs: 60_000 })
    transport.inject('publish', { type: 'hang' })
    const published = producer.publish(publication('1'), { timeoutMs: 30 })
    const idle = producer.idle()
    await expect(published).rejects.toMatchObject({ code: 'ERR_CELERY_PUBLISH_TIMEOUT', timeoutMs: 30 })
    await idle
  })

  test('with none of its own it travels with the others', async () => {
    const { transport, producer } = setUp()
    await Promise.all([producer.publish(publication('1'), {}), producer.publish(publication('2'))])
    expect(transport.sizes('publish')).toEqual([2])
  })
})

test('one with a time of its own leaves no timer behind', async () => {
  fakeTime()
  const { connection, producer } = setUp()
  await connection.broker()
  const before = vi.getTimerCount()
  await producer.publish(publication('1'), { timeoutMs: 60_000 })
  await producer.idle()
  expect(vi.getTimerCount()).toBe(before)
})
