import { type Clock, deferred, ManualClock } from '@celery/promises'
import {
  BrokerBusyError,
  ConnectionClosedError,
  ConnectionLostError,
  type Delivery,
  type Settlement,
  type SettleResult,
  UnknownExchangeError,
} from '@celery/transport'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type PendingSettlement, Settler } from '../src/index.ts'
import { held, passPause, publication, ready, setUp as setUpConnection } from './set-up.ts'

const lost = new ConnectionLostError('faulty://')
const busy = new BrokerBusyError('faulty://', 'locked')

/** A settler, and `count` deliveries to settle. */
async function setUp(
  count: number,
  clock?: Clock,
  options: { readonly answerTimeoutMs?: number; readonly sessions?: boolean } = {},
) {
  const { answerTimeoutMs, sessions = false } = options
  const { transport, connection } = setUpConnection({ sessions })
  const errors: unknown[] = []
  const refused: { readonly settlement: Settlement; readonly error: unknown }[] = []
  const givenUp: Settlement[] = []
  const settler = new Settler({
    connection,
    clock,
    answerTimeoutMs,
    onGivenUp: ({ settlement }) => void givenUp.push(settlement),
    onError: (error) => void errors.push(error),
    onRefused: ({ settlement }, error) => void refused.push({ settlement, error }),
  })
  onTestFinished(async () => void (await settler.close(0)))
  const broker = await connection.broker()
  let deliveries: readonly Delivery[] = []
  if (count > 0) {
    await broker.publish(Array.from({ length: count }, (_, index) => publication(String(index))))
    deliveries = await broker.fetch(['q'], { max: count, signal: AbortSignal.timeout(5_000) })
  }
  /** Settles, and resolves to the broker's answer. */
  function settle(settlement: Settlement): Promise<SettleResult> {
    return new Promise((resolve) => settler.add(settlement, resolve))
  }
  return {
    transport,
    connection,
    broker,
    settler,
    settle,
    deliveries,
    errors,
    refused,
    givenUp,
    other: await transport.direct(),
  }
}

/** Publishes to an exchange that nobody declared. */
function unroutable(delivery: Delivery): Settlement {
  return { delivery, publish: [{ ...publication('x'), exchange: 'nowhere' }] }
}

describe('settling', () => {
  test('does in one batch what comes in one turn, and tells each the answer', async () => {
    const { transport, other, settle, deliveries } = await setUp(5)
    const answers = await Promise.all(deliveries.map((delivery) => settle({ delivery })))
    expect(answers).toEqual(Array(5).fill('done'))
    expect(transport.sizes('settle')).toEqual([5])
    expect([await ready(other), await held(other)]).toEqual([0, 0])
  })

  test('takes what comes while a batch is under way into the next one', async () => {
    const { transport, settle, deliveries } = await setUp(3)
    const answer = deferred()
    transport.inject('settle', { type: 'delay', until: answer.promise })
    const first = settle({ delivery: deliveries[0]! })
    await transport.called('settle')
    const others = [settle({ delivery: deliveries[1]! }), settle({ delivery: deliveries[2]! })]
    answer.resolve()
    await Promise.all([first, ...others])
    expect(transport.sizes('settle')).toEqual([1, 2])
  })

  test('does all that belongs to a settlement', async () => {
    const { other, settle, deliveries } = await setUp(3)
    const [a, b, c] = deliveries
    await Promise.all([
      settle({ delivery: a!, action: { type: 'requeue', counted: true } }),
      settle({ delivery: b!, action: { type: 'dead', reason: 'unreadable' } }),
      settle({ delivery: c!, publish: [publication('next', 'follow-up')] }),
    ])
    expect(await Promise.all([ready(other), ready(other, 'q.dead'), ready(other, 'follow-up')])).toEqual([1, 1, 1])
  })

  test('says so where the delivery was no longer ours', async () => {
    const { settle, deliveries } = await setUp(1)
    await settle({ delivery: deliveries[0]! })
    expect(await settle({ delivery: deliveries[0]! })).toBe('stale')
  })

  test('counts what the broker has not answered', async () => {
    const { transport, settler, deliveries } = await setUp(2)
    const answer = deferred()
    transport.inject('settle', { type: 'delay', until: answer.promise })
    settler.add({ delivery: deliveries[0]! })
    await transport.called('settle')
    settler.add({ delivery: deliveries[1]! })
    expect(settler.pending).toBe(2)
    answer.resolve()
    await settler.idle()
    expect(settler.pending).toBe(0)
  })
})

describe('a settlement that is not sent yet', () => {
  test('may be replaced by a fuller one', async () => {
    const { transport, other, settler, deliveries } = await setUp(1)
    const pending: PendingSettlement = settler.add({ delivery: deliveries[0]! })
    expect(pending.sent).toBe(false)
    pending.settlement = { ...pending.settlement, publish: [publication('next', 'follow-up')] }
    await settler.idle()
    expect(pending.sent).toBe(true)
    expect(transport.sizes('settle')).toEqual([1])
    expect(await ready(other, 'follow-up')).toBe(1)
  })

  test('is not sent while it waits for the batch before it', async () => {
    const { transport, settler, deliveries } = await setUp(2)
    const answer = deferred()
    transport.inject('settle', { type: 'delay', until: answer.promise })
    const first = settler.add({ delivery: deliveries[0]! })
    await transport.called('settle')
    const second = settler.add({ delivery: deliveries[1]! })
    expect([first.sent, second.sent]).toEqual([true, false])
    answer.resolve()
    await settler.idle()
    expect(second.sent).toBe(true)
  })
})

describe('a batch that fails', () => {
  test('is repeated on a new connection until it succeeds', async () => {
    const { transport, settler, settle, errors, other } = await setUp(0)
    transport.inject('settle', { type: 'refuse', error: lost }, { type: 'refuse', error: lost })
    expect(await settle({ publish: [publication('1', 'follow-up')] })).toBe('done')
    expect(errors).toEqual([lost, lost])
    expect(transport.sizes('settle')).toEqual([1, 1, 1])
    expect(transport.mostOpen).toBe(1)
    expect(await ready(other, 'follow-up')).toBe(1)
    expect(await settler.close(0)).toBe(0)
  })

  test('F-17 is repeated less and less often, at most every 1.5 s', async () => {
    const clock = new ManualClock()
    const { transport, settle, deliveries, errors } = await setUp(2, clock)
    const longest = [100, 200, 400, 800, 1_500, 1_500]
    transport.inject('settle', ...longest.map(() => ({ type: 'refuse', error: busy }) as const))
    const settled = settle({ delivery: deliveries[0]! })
    for (const [index, longestMs] of longest.entries()) {
      const pauseMs = await passPause(clock)
      expect(pauseMs).toBeGreaterThanOrEqual(longestMs * 0.75)
      expect(pauseMs).toBeLessThanOrEqual(longestMs + 1)
      expect(transport.sizes('settle')).toHaveLength(index + 1)
      await transport.called('settle', index + 2)
    }
    expect(await settled).toBe('done')
    expect(errors).toHaveLength(longest.length)
    // The next batch begins anew.
    transport.inject('settle', { type: 'refuse', error: busy })
    const next = settle({ delivery: deliveries[1]! })
    expect(await passPause(clock)).toBeLessThanOrEqual(101)
    expect(await next).toBe('done')
  })

  test('settles nothing that went back to its queue with the lost connection', async () => {
    const { transport, settle, deliveries, other } = await setUp(1)
    transport.inject('settle', { type: 'refuse', error: lost })
    expect(await settle({ delivery: deliveries[0]!, publish: [publication('1', 'follow-up')] })).toBe('stale')
    expect([await ready(other), await ready(other, 'follow-up')]).toEqual([1, 0])
  })

  test('is repeated over the same connection where the broker was only busy', async () => {
    const { transport, settle, deliveries, errors } = await setUp(1)
    transport.inject('settle', { type: 'refuse', error: busy })
    expect(await settle({ delivery: deliveries[0]! })).toBe('done')
    expect(errors).toHaveLength(1)
    expect(transport.sizes('open')).toHaveLength(1)
  })

  test('does nothing twice where only the answer was lost', async () => {
    const { transport, settle, deliveries, other } = await setUp(1)
    transport.inject('settle', { type: 'lose answer' })
    await settle({ delivery: deliveries[0]!, publish: [publication('1', 'follow-up')] })
    expect([await ready(other), await ready(other, 'follow-up')]).toEqual([0, 1])
  })

  test('F-32 is repeated on a new connection where the driver does not answer', async () => {
    const { transport, settle, deliveries, errors } = await setUp(1, undefined, { answerTimeoutMs: 50, sessions: true })
    transport.inject('settle', { type: 'hang' })
    expect(await settle({ delivery: deliveries[0]! })).toBe('done')
    expect(errors).toMatchObject([{ code: 'ERR_CELERY_CONNECTION_LOST' }])
    expect(transport.sizes('open')).toHaveLength(2)
  })

  test('sends nothing twice where there is no delivery to tell by', async () => {
    const { transport, settle, other } = await setUp(0)
    transport.inject('settle', { type: 'lose answer' })
    await settle({ publish: [publication('1', 'follow-up')] })
    expect(await ready(other, 'follow-up')).toBe(1)
  })

  test('P-1 goes on whatever keeps it from the next connection, also where there is one settlement only', async () => {
    const { transport, connection, broker, settle, errors, refused } = await setUp(0)
    await connection.discard(broker)
    const denied = new RangeError('nobody has heard of this')
    transport.inject('open', { type: 'refuse', error: denied }, { type: 'refuse', error: denied })
    expect(await settle({ publish: [publication('1', 'follow-up')] })).toBe('done')
    expect(errors).toEqual([denied, denied])
    expect(refused).toEqual([])
  })

  test('goes on where somebody else has discarded the connection meanwhile', async () => {
    const { transport, settle, refused, other } = await setUp(0)
    transport.inject('settle', { type: 'refuse', error: new ConnectionClosedError('faulty://') })
    expect(await settle({ publish: [publication('1', 'follow-up')] })).toBe('done')
    expect(refused).toEqual([])
    expect(transport.sizes('open')).toHaveLength(2)
    expect(await ready(other, 'follow-up')).toBe(1)
  })

  test('is given up, and not refused, where the connection was closed by its owner', async () => {
    const { connection, settler, deliveries, errors, refused, givenUp } = await setUp(1)
    await connection.close()
    const { settlement } = settler.add({ delivery: deliveries[0]! })
    await settler.idle()
    expect(errors).toEqual([expect.any(ConnectionClosedError)])
    expect(refused).toEqual([])
    expect(givenUp).toEqual([settlement])
    expect(await settler.close(0)).toBe(1)
  })

  test('is not refused because somebody else gave up waiting for the same connection', async () => {
    const { transport, connection, broker, settle, deliveries, refused } = await setUp(1)
    await connection.discard(broker)
    const opening = deferred()
    transport.inject('open', { type: 'delay', until: opening.promise })
    const abort = new AbortController()
    const consumer = connection.untilBroker({ signal: abort.signal })
    const settled = settle({ delivery: deliveries[0]! })
    await transport.called('open', 2)
    abort.abort(new Error('the consumer was stopped'))
    await expect(consumer).rejects.toThrow('the consumer was stopped')
    opening.resolve()
    expect(await settled).toBe('stale')
    expect(refused).toEqual([])
  })
})

describe('a settlement that the broker refuses', () => {
  test('is handed back and does not keep the others', async () => {
    const { transport, settler, deliveries, refused, other } = await setUp(4)
    const [a, b, c, d] = deliveries as readonly [Delivery, Delivery, Delivery, Delivery]
    const bad = unroutable(b)
    const answers: SettleResult[] = []
    for (const settlement of [{ delivery: a }, bad, { delivery: c }, { delivery: d }]) {
      settler.add(settlement, (result) => answers.push(result))
    }
    await settler.idle()
    expect(answers).toEqual(['done', 'done', 'done'])
    expect(refused).toEqual([{ settlement: bad, error: expect.any(UnknownExchangeError) }])
    // The error says which one it was: the others need one batch more, not one each.
    expect(transport.sizes('settle')).toEqual([4, 3])
    expect(await held(other)).toBe(1)
  })

  test('is found where the error does not say which one it was', async () => {
    const { transport, settler, deliveries, refused } = await setUp(3)
    transport.inject('settle', { type: 'refuse', error: new Error('something in there is wrong') })
    const answers: SettleResult[] = []
    const bad = unroutable(deliveries[1]!)
    for (const settlement of [{ delivery: deliveries[0]! }, bad, { delivery: deliveries[2]! }]) {
      settler.add(settlement, (result) => answers.push(result))
    }
    await settler.idle()
    expect(answers).toEqual(['done', 'done'])
    expect(refused.map(({ settlement }) => settlement)).toEqual([bad])
    expect(transport.sizes('settle')).toEqual([3, 1, 1, 1])
  })

  test('several of them are all handed back', async () => {
    const { settler, deliveries, refused, other } = await setUp(3)
    const [a, b, c] = deliveries as readonly [Delivery, Delivery, Delivery]
    const bad = [unroutable(a), unroutable(c)]
    for (const settlement of [bad[0]!, { delivery: b }, bad[1]!]) settler.add(settlement)
    await settler.idle()
    expect(refused.map(({ settlement }) => settlement)).toEqual(bad)
    expect(await held(other)).toBe(2)
  })
})

describe('closing', () => {
  test('waits for what is under way', async () => {
    const { transport, settler, deliveries, other } = await setUp(2)
    const answer = deferred()
    transport.inject('settle', { type: 'delay', until: answer.promise })
    settler.add({ delivery: deliveries[0]! })
    await transport.called('settle')
    settler.add({ delivery: deliveries[1]! })
    const closing = settler.close(10_000)
    answer.resolve()
    expect(await closing).toBe(0)
    expect([await ready(other), await held(other)]).toEqual([0, 0])
  })

  test.each([
    ['silent', true],
    ['busy', false],
  ])('P-10 tells whether the broker was silent: one that is %s', async (what, isSilent) => {
    const { transport, settler, deliveries } = await setUp(1)
    const busy = { type: 'refuse', error: new BrokerBusyError('faulty://', 'full') } as const
    transport.inject(
      'settle',
      ...(what === 'busy' ? Array.from({ length: 20 }, () => busy) : [{ type: 'hang' } as const]),
    )
    settler.add({ delivery: deliveries[0]! })
    expect(await settler.close(110)).toBe(1)
    expect(settler.isSilent).toBe(isSilent)
  })

  test('gives up after its grace and says how many are left', async () => {
    const { transport, settler, deliveries, givenUp } = await setUp(3)
    transport.inject('settle', { type: 'delay', until: deferred().promise })
    const answers: SettleResult[] = []
    settler.add({ delivery: deliveries[0]! }, (result) => answers.push(result))
    await transport.called('settle')
    settler.add({ delivery: deliveries[1]! }, (result) => answers.push(result))
    settler.add({ delivery: deliveries[2]! }, (result) => answers.push(result))
    expect(await settler.close(10)).toBe(3)
    expect(answers).toEqual([])
    expect(givenUp).toEqual(deliveries.map((delivery) => ({ delivery })))
  })

  test('gives up also while the broker is away', async () => {
    const { transport, settler, deliveries } = await setUp(1)
    transport.reach('', false)
    await transport.cut()
    settler.add({ delivery: deliveries[0]! })
    await transport.called('open', 2)
    expect(await settler.close(10)).toBe(1)
  })

  test('does not wait for the next attempt but makes it at once', async () => {
    const clock = new ManualClock()
    const { transport, settler, deliveries } = await setUp(1, clock)
    transport.inject('settle', { type: 'refuse', error: busy })
    settler.add({ delivery: deliveries[0]! })
    await clock.whenPending()
    expect(await settler.close(10_000)).toBe(0)
    expect(transport.sizes('settle')).toHaveLength(2)
    expect(clock.pending).toBe(0)
  })

  test('P-10 reconnects at once where the broker is back, however long it was away', async () => {
    const clock = new ManualClock()
    const { transport, settler, deliveries } = await setUp(1, clock)
    transport.reach('', false)
    await transport.cut()
    settler.add({ delivery: deliveries[0]! })
    for (let opens = 2; opens <= 7; opens++) {
      await passPause(clock)
      await transport.called('open', opens)
    }
    await clock.whenPending()
    transport.reach('', true)
    expect(await settler.close(10_000)).toBe(0)
    expect(transport.sizes('open')).toHaveLength(8)
  })

  test('tries every 0.1 s at least, however long the broker was busy before', async () => {
    const clock = new ManualClock()
    const { transport, settler, deliveries } = await setUp(1, clock)
    transport.inject('settle', ...Array(9).fill({ type: 'refuse', error: busy }))
    settler.add({ delivery: deliveries[0]! })
    for (let attempts = 1; attempts <= 5; attempts++) {
      await transport.called('settle', attempts)
      await passPause(clock)
    }
    await transport.called('settle', 6)
    await clock.whenPending()
    const closing = settler.close(10_000)
    for (let attempts = 7; attempts <= 9; attempts++) {
      await transport.called('settle', attempts)
      // The pause, and the two of the grace.
      await clock.whenPending(3)
      clock.advance(100)
    }
    expect(await closing).toBe(0)
    expect(transport.sizes('settle')).toHaveLength(10)
  })

  test.each([
    { outcome: 'succeeds', failures: 2, givenUp: 0 },
    { outcome: 'fails', failures: 3, givenUp: 1 },
  ])('makes a last attempt before it gives up, which $outcome', async ({ failures, givenUp }) => {
    const clock = new ManualClock()
    const { transport, settler, deliveries } = await setUp(1, clock)
    transport.inject('settle', ...Array(failures).fill({ type: 'refuse', error: busy }))
    settler.add({ delivery: deliveries[0]! })
    await clock.whenPending()
    const closing = settler.close(110)
    await transport.called('settle', 2)
    await clock.whenPending(3)
    // 0.1 s before the end, and before the end of the pause.
    clock.advance(10)
    expect(await closing).toBe(givenUp)
    expect(transport.sizes('settle')).toHaveLength(3)
    expect(clock.pending).toBe(0)
  })

  test('gives up also where the driver does not hear of it', async () => {
    const { transport, settler, deliveries } = await setUp(1)
    transport.inject('settle', { type: 'hang' })
    settler.add({ delivery: deliveries[0]! })
    await transport.called('settle')
    expect(await settler.close(10)).toBe(1)
  })

  test('is safe twice, and says the same', async () => {
    const { transport, settler, deliveries } = await setUp(1)
    transport.inject('settle', { type: 'delay', until: deferred().promise })
    settler.add({ delivery: deliveries[0]! })
    await transport.called('settle')
    expect(await Promise.all([settler.close(10), settler.close(10)])).toEqual([1, 1])
    expect(await settler.close(10)).toBe(1)
  })

  test('has nothing to wait for where nothing was added', async () => {
    const { settler } = await setUp(0)
    expect(await settler.close(60_000)).toBe(0)
  })
})
