import { deferred, ManualClock } from '@celery/promises'
import { BrokerBusyError, ConnectionClosedError, ConnectionLostError, InvalidBrokerUrlError } from '@celery/transport'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  CloseTimeoutError,
  Connection,
  isConnectionLost,
  isTemporary,
  type ReconnectInfo,
  TransportRegistry,
} from '../src/index.ts'
import { publication, ready, setUp } from './set-up.ts'

describe('a connection', () => {
  test('needs a URL that can be read', () => {
    const transports = new TransportRegistry()
    expect(() => new Connection({ urls: [], transports })).toThrow(RangeError)
    expect(() => new Connection({ urls: ['nonsense'], transports })).toThrow(InvalidBrokerUrlError)
  })

  test('shows its address without the password', () => {
    const { connection } = setUp({ urls: ['faulty://me:secret@host', 'faulty://other'] })
    expect(connection.address).toContain('me:**@host')
  })

  test('opens nothing before it is used', async () => {
    const { transport, connection } = setUp()
    expect(transport.calls).toEqual([])
    await connection.broker()
    expect(transport.sizes('open')).toHaveLength(1)
  })

  test('is one, however many ask for it at once or one after the other', async () => {
    const { transport, connection } = setUp()
    const [a, b] = await Promise.all([connection.broker(), connection.broker()])
    expect(b).toBe(a)
    expect(await connection.untilBroker()).toBe(a)
    expect(transport.mostOpen).toBe(1)
  })

  test('hands its options to the driver', async () => {
    const clock = { now: 5_000 }
    const { connection } = setUp({ open: { leaseMs: 100, now: () => clock.now } })
    const broker = await connection.broker()
    await broker.publish([
      {
        exchange: '',
        routingKey: 'q',
        message: { body: 'x', contentType: 'text/plain', contentEncoding: 'utf-8', headers: {}, properties: {} },
      },
    ])
    await broker.fetch(['q'], { max: 1, signal: AbortSignal.timeout(5_000) })
    expect(await ready(broker)).toBe(0)
    clock.now += 101
    expect(await ready(broker)).toBe(1)
  })

  test('F-24 goes on to the next URL where a driver does not come to an end of opening', async () => {
    const { transport, connection } = setUp({ urls: ['faulty://a', 'faulty://b'], openTimeoutMs: 20 })
    transport.inject('open', { type: 'hang' })
    await connection.broker()
    expect(transport.calls.map(({ host }) => host)).toEqual(['a', 'b'])
  })

  test('leaves none behind that opened after its time', async () => {
    const { transport, connection } = setUp({ openTimeoutMs: 20 })
    const opening = deferred()
    transport.inject('open', { type: 'late', until: opening.promise })
    await expect(connection.broker()).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_LOST' })
    expect(transport.openConnections).toBe(1)
    opening.resolve()
    await transport.called('close')
    expect(transport.openConnections).toBe(0)
  })

  test('is one session, whatever becomes of its connections; a clone is another one', async () => {
    const { transport, connection } = setUp()
    await connection.discard(await connection.broker())
    await connection.broker()
    const clone = connection.clone()
    onTestFinished(() => clone.close())
    await clone.broker()
    const [first, second, ofClone] = transport.sessions
    expect(first).toMatch(/^[A-Za-z0-9-]+$/)
    expect(second).toBe(first)
    expect(ofClone).not.toBe(first)
  })

  test('says when a connection is given up that its session goes on, and when it is closed that it does not', async () => {
    const { connection } = setUp({ sessions: true })
    const other = connection.clone()
    onTestFinished(() => other.close())
    const first = await connection.broker()
    await first.publish([publication('1')])
    await first.fetch(['q'], { max: 1, signal: AbortSignal.timeout(60_000) })
    await connection.discard(first)
    expect(await ready(await other.broker())).toBe(0)
    await connection.broker()
    await connection.close()
    expect(await ready(await other.broker())).toBe(1)
  })

  test('goes through its URLs in order and takes the first that can be reached', async () => {
    const { transport, connection } = setUp({ urls: ['faulty://a', 'faulty://b', 'faulty://c'] })
    transport.reach('a', false)
    expect((await connection.broker()).domain).toBe('memory:b')
    expect(transport.calls.map(({ host }) => host)).toEqual(['a', 'b'])
  })

  test('tells of the first URL where none can be reached, and tries again when asked again', async () => {
    const { transport, connection } = setUp({ urls: ['faulty://a', 'faulty://b'] })
    transport.reach('a', false)
    transport.reach('b', false)
    const error = await connection.broker().catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ConnectionLostError)
    expect(error).toMatchObject({ address: expect.stringContaining('faulty://a') })
    transport.reach('b', true)
    expect((await connection.broker()).domain).toBe('memory:b')
  })

  test('does not go on to the next URL for an error that is no lost connection', async () => {
    const { transport, connection } = setUp({ urls: ['faulty://a', 'faulty://b'] })
    const wrong = new Error('access refused')
    transport.inject('open', { type: 'refuse', error: wrong })
    await expect(connection.broker()).rejects.toBe(wrong)
    expect(transport.sizes('open')).toHaveLength(1)
    await expect(connection.untilBroker()).resolves.toBeDefined()
  })
})

describe('waiting until there is a broker', () => {
  test('tries again after 0.1 s, then twice as long up to 1.5 s, a quarter less at most, and tells of each', async () => {
    const clock = new ManualClock()
    const infos: ReconnectInfo[] = []
    const { transport, connection } = setUp({
      clock,
      onError: (error, info) => {
        expect(error).toBeInstanceOf(ConnectionLostError)
        infos.push(info)
      },
    })
    transport.reach('', false)
    const broker = connection.untilBroker()
    for (const most of [100, 200, 400, 800, 1_500, 1_500, 1_500]) {
      await clock.whenPending()
      const { retryInMs } = infos.at(-1)!
      expect(retryInMs).toBeGreaterThanOrEqual(most * 0.75)
      expect(retryInMs).toBeLessThanOrEqual(most)
      const before = transport.sizes('open').length
      await clock.advanceAsync(retryInMs! - 1)
      expect(transport.sizes('open')).toHaveLength(before)
      if (infos.length === 7) transport.reach('', true)
      await clock.advanceAsync(1)
      await transport.called('open', before + 1)
    }
    await expect(broker).resolves.toBeDefined()
    expect(infos.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  test('ends with the reason of its signal, also while it waits', async () => {
    const clock = new ManualClock()
    const { transport, connection } = setUp({ clock })
    transport.reach('', false)
    const abort = new AbortController()
    const broker = connection.untilBroker({ signal: abort.signal })
    await clock.whenPending()
    const reason = new Error('enough')
    abort.abort(reason)
    await expect(broker).rejects.toBe(reason)
    expect(clock.pending).toBe(0)
  })

  test('a busy broker is waited for as well', async () => {
    const clock = new ManualClock()
    const { transport, connection } = setUp({ clock })
    transport.inject('open', { type: 'refuse', error: new BrokerBusyError('faulty://', 'locked') })
    const broker = connection.untilBroker()
    await clock.whenPending()
    await clock.advanceAsync(100)
    await expect(broker).resolves.toBeDefined()
  })

  test('an error that time does not heal is not waited for', async () => {
    const { connection } = setUp({ urls: ['unknown://'] })
    await expect(connection.untilBroker()).rejects.toMatchObject({ code: 'ERR_CELERY_UNKNOWN_TRANSPORT' })
  })

  test('one that gives up does not take the others with it', async () => {
    const { transport, connection } = setUp()
    const opening = deferred()
    transport.inject('open', { type: 'delay', until: opening.promise })
    const abort = new AbortController()
    const first = connection.untilBroker({ signal: abort.signal })
    const second = connection.untilBroker()
    await transport.called('open')
    const reason = new Error('enough')
    abort.abort(reason)
    await expect(first).rejects.toBe(reason)
    opening.resolve()
    await expect(second).resolves.toBeDefined()
    expect(transport.mostOpen).toBe(1)
  })

  test('one that gives up need not wait for what the others wait for', async () => {
    const { transport, connection } = setUp()
    const opening = deferred()
    transport.inject('open', { type: 'delay', until: opening.promise })
    const first = connection.broker()
    const abort = new AbortController()
    const second = connection.broker({ signal: abort.signal })
    const reason = new Error('enough')
    abort.abort(reason)
    await expect(second).rejects.toBe(reason)
    opening.resolve()
    await first
  })
})

describe('discarding', () => {
  test('closes the connection; the next one to ask gets a new one', async () => {
    const { transport, connection } = setUp()
    const first = await connection.broker()
    await connection.discard(first)
    await expect(first.closed).resolves.toBeUndefined()
    const second = await connection.broker()
    expect(second).not.toBe(first)
    expect([transport.mostOpen, transport.openConnections]).toEqual([1, 1])
  })

  test('counts once: who was late to notice does not end the new connection', async () => {
    const { transport, connection } = setUp()
    const first = await connection.broker()
    await Promise.all([connection.discard(first), connection.discard(first)])
    const second = await connection.broker()
    await connection.discard(first)
    expect(await connection.broker()).toBe(second)
    expect(transport.openConnections).toBe(1)
  })

  test('does not wait for the next connection to be opened', async () => {
    const { transport, connection } = setUp()
    const first = await connection.broker()
    await connection.discard(first)
    const opening = deferred()
    transport.inject('open', { type: 'delay', until: opening.promise })
    const second = connection.broker()
    await connection.discard(first)
    opening.resolve()
    await second
  })

  test('a failure to close is told of and ends nothing', async () => {
    const errors: unknown[] = []
    const { transport, connection } = setUp({ onError: (error, info) => errors.push([error, info]) })
    const broker = await connection.broker()
    const failure = new Error('cannot close')
    transport.inject('close', { type: 'refuse', error: failure })
    await connection.discard(broker)
    expect(errors).toEqual([[failure, { attempt: 0, retryInMs: undefined }]])
    expect(await connection.broker()).not.toBe(broker)
  })

  test('a driver that does not come to an end of it is left behind, and told of', async () => {
    const errors: unknown[] = []
    const { transport, connection } = setUp({ closeTimeoutMs: 20, onError: (error) => errors.push(error) })
    const broker = await connection.broker()
    transport.inject('close', { type: 'hang' })
    await connection.discard(broker)
    expect(errors).toEqual([expect.any(CloseTimeoutError)])
    expect(await connection.broker()).not.toBe(broker)
  })

  test('is waited for no longer than the signal lets', async () => {
    const { transport, connection } = setUp({ closeTimeoutMs: 600_000 })
    const broker = await connection.broker()
    const closing = deferred()
    transport.inject('close', { type: 'delay', until: closing.promise })
    const abort = new AbortController()
    const discarding = connection.discard(broker, { signal: abort.signal })
    abort.abort(new Error('enough'))
    await discarding
    expect(await connection.broker()).not.toBe(broker)
    closing.resolve()
    await broker.closed
  })
})

describe('closing', () => {
  test('ends the connection; it cannot be used again', async () => {
    const { transport, connection } = setUp()
    await connection.broker()
    await connection.close()
    expect(transport.openConnections).toBe(0)
    await expect(connection.broker()).rejects.toBeInstanceOf(ConnectionClosedError)
    await expect(connection.untilBroker()).rejects.toBeInstanceOf(ConnectionClosedError)
  })

  test('closing leaves a driver behind that opens without listening', async () => {
    const { transport, connection } = setUp({ closeTimeoutMs: 50 })
    transport.inject('open', { type: 'hang' })
    const opening = connection.broker()
    opening.catch(() => {})
    await connection.close()
    await expect(opening).rejects.toMatchObject({ code: 'ERR_CELERY_CONNECTION_CLOSED' })
  })

  test('rejects where the driver does not come to an end of it', async () => {
    const { transport, connection } = setUp({ closeTimeoutMs: 20 })
    await connection.broker()
    transport.inject('close', { type: 'hang' })
    const error = await connection.close().catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      name: 'CloseTimeoutError',
      code: 'ERR_CELERY_CLOSE_TIMEOUT',
      address: 'faulty://',
      timeoutMs: 20,
      message:
        'the connection to faulty:// did not close within 20 ms and was left behind; what it held comes back when the ' +
        'broker finds it gone',
    })
    await connection.close()
  })

  test('is safe twice, before the first use, and with `await using`', async () => {
    const { transport, transports, connection } = setUp()
    await connection.close()
    await connection.close()
    {
      await using other = new Connection({ urls: ['faulty://'], transports })
      await other.broker()
      expect(transport.openConnections).toBe(1)
    }
    expect(transport.openConnections).toBe(0)
  })

  test('ends those who wait for a broker, and leaves none behind that opened too late', async () => {
    const { transport, connection } = setUp()
    const opening = deferred()
    transport.inject('open', { type: 'delay', until: opening.promise })
    const broker = connection.broker()
    await transport.called('open')
    const closing = connection.close()
    opening.resolve()
    await expect(broker).rejects.toBeInstanceOf(ConnectionClosedError)
    await closing
    expect(transport.openConnections).toBe(0)
  })

  test('does not wait for a broker that does not answer', async () => {
    const { transport, connection } = setUp()
    transport.inject('open', { type: 'delay', until: deferred().promise })
    const broker = connection.broker()
    await transport.called('open')
    await connection.close()
    await expect(broker).rejects.toBeInstanceOf(ConnectionClosedError)
  })

  test('wakes those who wait for the next attempt', async () => {
    const clock = new ManualClock()
    const { transport, connection } = setUp({ clock })
    transport.reach('', false)
    const broker = connection.untilBroker()
    await clock.whenPending()
    await connection.close()
    await expect(broker).rejects.toBeInstanceOf(ConnectionClosedError)
    expect(clock.pending).toBe(0)
  })
})

test('only a lost connection and a busy broker are worth another try', () => {
  const lost = new ConnectionLostError('faulty://')
  const busy = new BrokerBusyError('faulty://', 'locked')
  const closed = new ConnectionClosedError('faulty://')
  expect([lost, busy, closed, new Error('x'), undefined].map(isTemporary)).toEqual([true, true, false, false, false])
  expect([lost, busy, closed].map(isConnectionLost)).toEqual([true, false, false])
})

describe('several brokers', () => {
  const urls = ['faulty://a', 'faulty://b', 'faulty://c']

  async function reconnect(connection: Connection): Promise<string | undefined> {
    await connection.discard(await connection.broker())
    return (await connection.broker()).domain
  }

  test('may stand in one URL or in several', () => {
    const { connection } = setUp({ urls: ['faulty://a;faulty://b', 'faulty://c'] })
    expect(connection.servers.map(({ host }) => host)).toEqual(['a', 'b', 'c'])
    expect(connection.server.host).toBe('a')
  })

  test('are taken in turn: the one that answered last is asked first', async () => {
    const { transport, connection } = setUp({ urls })
    transport.reach('a', false)
    expect((await connection.broker()).domain).toBe('memory:b')
    transport.reach('a', true)
    expect(await reconnect(connection)).toBe('memory:b')
    transport.reach('b', false)
    expect(await reconnect(connection)).toBe('memory:c')
    transport.reach('c', false)
    expect(await reconnect(connection)).toBe('memory:a')
    expect(connection.server.host).toBe('a')
    expect(transport.mostOpen).toBe(1)
  })

  test('are shuffled where that is asked for, each once before any a second time', async () => {
    const { transport, connection } = setUp({ urls, failoverStrategy: 'shuffle' })
    for (const host of ['a', 'b', 'c']) transport.reach(host, false)
    for (let round = 0; round < 20; round++) await connection.broker().catch(() => {})
    const orders = new Set<string>()
    for (let first = 0; first < 60; first += 3) {
      const hosts = transport.calls.slice(first, first + 3).map(({ host }) => host)
      expect([...hosts].sort()).toEqual(['a', 'b', 'c'])
      orders.add(hosts.join(''))
    }
    // That all 20 rounds come in one of the six orders happens once in 6 ** 19 times.
    expect(orders.size).toBeGreaterThan(1)
  })

  test('come in the order that a function of ours yields', async () => {
    const seen: (string | undefined)[][] = []
    const { transport, connection } = setUp({
      urls,
      *failoverStrategy(servers) {
        seen.push(servers.map(({ host }) => host))
        yield* [...servers].reverse()
      },
    })
    for (const host of ['a', 'b', 'c']) transport.reach(host, false)
    await connection.broker().catch(() => {})
    await connection.broker().catch(() => {})
    expect(transport.calls.map(({ host }) => host)).toEqual(['c', 'b', 'a', 'c', 'b', 'a'])
    expect(seen[0]).toEqual(['a', 'b', 'c'])
  })

  test('need a strategy that there is, and that yields one', () => {
    expect(() => setUp({ failoverStrategy: 'best' as 'shuffle' })).toThrow('there is no failover strategy "best"')
    expect(() => setUp({ failoverStrategy: () => [] })).toThrow('the failover strategy yields no broker')
  })

  test('can be used by another connection', async () => {
    const { connection } = setUp({ urls })
    const other = connection.clone({ failoverStrategy: (servers) => servers.slice(1) })
    expect((await connection.broker()).domain).toBe('memory:a')
    expect((await other.broker()).domain).toBe('memory:b')
    await other.close()
    expect(connection.live).toBeDefined()
    expect(other.live).toBeUndefined()
  })
})

describe('ensuring', () => {
  test('runs on the live connection and gives what comes of it', async () => {
    const { connection } = setUp()
    expect(await connection.ensure(async (broker) => broker.domain)).toBe('memory:')
    expect(connection.live).toBeDefined()
  })

  test('runs again on a new connection where the old one was lost', async () => {
    const clock = new ManualClock()
    const infos: ReconnectInfo[] = []
    const { transport, connection } = setUp({ clock, onError: (_error, info) => infos.push(info) })
    transport.inject('declareQueue', { type: 'lose answer' })
    const ensured = connection.ensure((broker) => broker.declareQueue({ name: 'q' }))
    await clock.whenPending()
    await clock.advanceAsync(100)
    expect((await ensured).name).toBe('q')
    expect(transport.sizes('open')).toHaveLength(2)
    expect(infos).toMatchObject([{ attempt: 1 }])
  })

  test('runs again where somebody else has discarded the connection meanwhile', async () => {
    const { transport, connection } = setUp()
    transport.inject('declareQueue', { type: 'refuse', error: new ConnectionClosedError('faulty://') })
    await connection.ensure((broker) => broker.declareQueue({ name: 'q' }), { retryPolicy: {} })
    expect(transport.sizes('open')).toHaveLength(2)
  })

  test('keeps the connection of a broker that is busy', async () => {
    const { transport, connection } = setUp()
    transport.inject('declareQueue', { type: 'refuse', error: new BrokerBusyError('faulty://', 'locked') })
    await connection.ensure((broker) => broker.declareQueue({ name: 'q' }), { retryPolicy: {} })
    expect(transport.sizes('open')).toHaveLength(1)
  })

  test('gives up where its policy ends, and at once for what another try does not heal', async () => {
    const { transport, connection } = setUp()
    const lost = new ConnectionLostError('faulty://')
    transport.inject('open', ...Array.from({ length: 9 }, () => ({ type: 'refuse', error: lost }) as const))
    const run = (): Promise<never> => Promise.reject(new Error('never asked'))
    const policy = { maxRetries: 2, intervalStart: 0, intervalStep: 0 }
    await expect(connection.ensure(run, { retryPolicy: policy })).rejects.toBe(lost)
    expect(transport.sizes('open')).toHaveLength(3)
    const wrong = new Error('no such thing')
    const { connection: other } = setUp()
    await expect(other.ensure(() => Promise.reject(wrong))).rejects.toBe(wrong)
  })

  test('ends with its signal, and with the connection', async () => {
    const clock = new ManualClock()
    const { transport, connection } = setUp({ clock })
    transport.reach('', false)
    const reason = new Error('enough')
    const abort = new AbortController()
    const ensured = connection.ensure(async () => {}, { signal: abort.signal })
    await clock.whenPending()
    abort.abort(reason)
    await expect(ensured).rejects.toBe(reason)
    const waiting = connection.ensure(async () => {})
    await clock.whenPending()
    await connection.close()
    await expect(waiting).rejects.toBeInstanceOf(ConnectionClosedError)
  })
})
