import { deferred, ManualClock, sleep } from '@celery/promises'
import type { QueueInfo } from '@celery/transport'
import { expect, test } from 'vitest'
import type { WorkerContext } from '../worker-context.ts'
import { HealthMonitor } from './health-monitor.ts'
import type { HealthState } from './health-report.ts'
import { WorkerVitals } from './worker-vitals.ts'

/** A worker that has begun to consume ten seconds ago, as far as its health is concerned. */
function setUp() {
  const clock = new ManualClock()
  const vitals = new WorkerVitals(
    () => true,
    undefined,
    () => clock.monotonic(),
  )
  const broker = { ready: 0, asked: 0, ask: async (): Promise<void> => {} }
  const declareQueue = async (): Promise<Pick<QueueInfo, 'ready'>> => {
    broker.asked++
    await broker.ask()
    return { ready: broker.ready }
  }
  const pool = { name: 'prefork', concurrency: 2, healthy: true }
  const dispatcher = { room: 8, active: new Set(), processed: 3, awaitsStore: false }
  const outcomes: { storeTrouble: string | undefined } = { storeTrouble: undefined }
  const worker = {
    app: { brokerAddress: 'redis://user:**@broker' },
    hostname: 'celery@host',
    poolName: 'prefork',
    concurrency: 2,
    queues: [{ name: 'celery', declaration: { name: 'celery' } }],
    broker: { declareQueue },
    connection: { live: {} },
    dispatcher,
    outcomes,
    pool,
  } as unknown as WorkerContext
  const state: { now: HealthState } = { now: 'running' }
  vitals.consuming.consuming(true)
  clock.advance(11_000)
  const monitor = new HealthMonitor({ worker, vitals, state: () => state.now, clock })
  const reasons = async () => (await monitor.report()).reasons
  return { broker, clock, dispatcher, monitor, outcomes, pool, reasons, state, vitals }
}

test('tells all that there is to tell', async () => {
  const { monitor } = setUp()
  expect(await monitor.report()).toMatchObject({
    node: 'celery@host',
    pid: process.pid,
    state: 'running',
    ready: true,
    live: true,
    reasons: [],
    broker: { address: 'redis://user:**@broker', connected: true, losses: 0 },
    pool: { name: 'prefork', size: 2, healthy: true, stuck: 0 },
    queues: ['celery'],
    active: 0,
    processed: 3,
    consumedAt: null,
  })
})

test('P-12 is not ready while it starts or stops, and asks no broker then', async () => {
  const { broker, reasons, state } = setUp()
  state.now = 'starting'
  expect(await reasons()).toEqual([{ code: 'starting', message: 'it is starting' }])
  state.now = 'stopping'
  expect(await reasons()).toEqual([{ code: 'stopping', message: 'it is stopping' }])
  expect(broker.asked).toBe(0)
})

test('P-12 a start that waits for the broker says so', async () => {
  const { reasons, state, vitals } = setUp()
  state.now = 'starting'
  vitals.consuming.failed('no connection to redis://broker')
  expect(await reasons()).toEqual([{ code: 'starting', message: 'it is starting; no connection to redis://broker' }])
})

test('P-12 a start that waits for the result store says so, and no more of the broker that was away before', async () => {
  const { reasons, state, vitals } = setUp()
  state.now = 'starting'
  vitals.consuming.connectionFailed('no connection to redis://broker')
  vitals.waitsFor = 'cannot open the result store'
  expect(await reasons()).toEqual([{ code: 'starting', message: 'it is starting; cannot open the result store' }])
})

test('P-12 is not ready while the pool can run nothing, and why', async () => {
  const { pool, reasons } = setUp()
  pool.healthy = false
  expect(await reasons()).toEqual([{ code: 'pool', message: 'the pool cannot start a process' }])
})

test('P-12 F-36 is not ready while it takes nothing because results cannot be stored, and why', async () => {
  const { dispatcher, outcomes, reasons } = setUp()
  outcomes.storeTrouble = 'the result store is away'
  expect(await reasons()).toEqual([])
  dispatcher.awaitsStore = true
  expect(await reasons()).toEqual([
    { code: 'results', message: 'nothing is taken until results can be stored: the result store is away' },
  ])
  outcomes.storeTrouble = undefined
  expect(await reasons()).toEqual([])
})

test('P-12 is not ready where the broker refuses to answer', async () => {
  const { broker, reasons } = setUp()
  broker.ask = () => Promise.reject(new Error('READONLY'))
  expect(await reasons()).toEqual([{ code: 'broker', message: 'READONLY' }])
})

test('P-12 is not ready where the broker does not answer at all', async () => {
  const { broker, clock, reasons } = setUp()
  broker.ask = () => deferred().promise
  const found = reasons()
  await clock.advanceAsync(5_000)
  expect(await found).toEqual([{ code: 'broker', message: 'the broker has not answered for 5 s' }])
})

test('P-12 says so within five seconds, also where the broker answers the first of two questions only', async () => {
  const { broker, clock, reasons } = setUp()
  broker.ready = 2
  broker.ask = async () => {
    if (broker.asked === 1) await sleep(3_500, { clock })
    else await deferred().promise
  }
  const found = reasons()
  await clock.advanceAsync(3_500)
  await clock.advanceAsync(1_000)
  await clock.advanceAsync(500)
  expect(broker.asked).toBe(2)
  expect(await found).toEqual([{ code: 'broker', message: 'the broker has not answered twice for 5 s' }])
})

test('P-12 is not ready where messages wait, there is room, and none is taken', async () => {
  const { broker, clock, reasons } = setUp()
  broker.ready = 2
  const found = reasons()
  await clock.advanceAsync(1_000)
  expect(await found).toEqual([
    { code: 'stalled', message: '2 messages wait, there is room, and none was taken for 12 s' },
  ])
})

test('messages that wait because there is no room are no trouble', async () => {
  const { broker, dispatcher, reasons } = setUp()
  broker.ready = 2
  dispatcher.room = 0
  expect(await reasons()).toEqual([])
})

test('a message that has just come is no trouble', async () => {
  const { broker, clock, reasons, vitals } = setUp()
  broker.ready = 1
  broker.ask = async () => {
    if (broker.asked === 2) vitals.consuming.taken()
  }
  const found = reasons()
  await clock.advanceAsync(1_000)
  expect(await found).toEqual([])
  expect(broker.asked).toBe(2)
})

test('a broker of which messages came just now is not asked', async () => {
  const { broker, reasons, vitals } = setUp()
  vitals.consuming.taken()
  expect(await reasons()).toEqual([])
  expect(broker.asked).toBe(0)
})

test('those who ask at the same time, and in the next two seconds, share one question', async () => {
  const { broker, clock, reasons } = setUp()
  await Promise.all([reasons(), reasons(), reasons()])
  clock.advance(1_999)
  await reasons()
  expect(broker.asked).toBe(1)
  clock.advance(2)
  await reasons()
  expect(broker.asked).toBe(2)
})
