import { Celery, type SettingsInput } from '@celery/app'
import { memory as memoryBackend } from '@celery/backend-memory'
import { deferred } from '@celery/promises'
import {
  type BrokerConnection,
  ConnectionLostError,
  type Transport,
  type TransportCapabilities,
} from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createWorker, type Logger, type WorkerOptions } from '../src/index.ts'

function silentLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = []
  const log = (line: string): void => void lines.push(line)
  return { lines, debug: log, info: log, warning: log, error: log, critical: log, isEnabled: () => true }
}

/** An app on a broker in this process, which the test may put something in front of. */
function setUp(settings: SettingsInput = {}) {
  const memory = memoryTransport()
  const connections: BrokerConnection[] = []
  const faults: {
    open?: () => Promise<void>
    fetch?: () => Promise<void>
    /** What brokers that are opened from now on can do, unlike those in memory. */
    capabilities?: Partial<TransportCapabilities>
  } = {}
  const transport: Transport = {
    ...memory,
    open: async (address, options) => {
      await faults.open?.()
      const broker = await memory.open(address, options)
      const fetch = broker.fetch.bind(broker)
      broker.fetch = async (queues, more) => {
        await faults.fetch?.()
        return fetch(queues, more)
      }
      connections.push(broker)
      Object.defineProperty(broker, 'capabilities', { value: { ...broker.capabilities, ...faults.capabilities } })
      return broker
    },
  }
  const app = new Celery('test', { broker: 'fault://', backend: 'memory://', settings, notify: () => {} })
  app.transports.register('fault', async () => transport)
  app.backends.register('memory', async () => memoryBackend)
  onTestFinished(() => app.close())
  const logger = silentLogger()
  const worker = (options: WorkerOptions = {}) => createWorker(app, { logger, concurrency: 2, ...options })
  return { app, connections, faults, logger, worker }
}

describe('a worker in this process', () => {
  test('runs tasks, and with `await using` ends when its block does', async () => {
    const { app, worker } = setUp()
    const add = app.task('add', (x: number, y: number) => x + y)
    await using one = worker()
    await one.start()
    expect(await (await add.delay(2, 3)).get({ timeout: 10 })).toBe(5)
    expect(one.processed).toBe(1)
  })

  test('refuses a pool that there is not, and closes what it had opened', async () => {
    const { worker } = setUp()
    const one = worker({ pool: 'fibers' })
    await expect(one.start()).rejects.toThrow('there is no pool "fibers"')
    await expect(one.closed).rejects.toThrow('fibers')
    await one.stop()
  })

  test('stops twice, before its start, and then starts no more', async () => {
    const { worker } = setUp()
    const one = worker()
    await Promise.all([one.stop(), one.stop()])
    await one.closed
    await expect(one.start()).rejects.toMatchObject({ code: 'ERR_CELERY_BLUEPRINT_STOPPED' })
    await one.stop()
    await one.terminate()
  })

  test('stops while it waits for a broker that is not there', async () => {
    const { faults, worker } = setUp()
    const asked = deferred()
    faults.open = async () => {
      asked.resolve()
      throw new ConnectionLostError('fault://')
    }
    const one = worker()
    const starting = one.start()
    starting.catch(() => {})
    await asked.promise
    await one.stop()
    await expect(starting).rejects.toMatchObject({ code: 'ERR_CELERY_BLUEPRINT_STOPPED' })
    await one.closed
  })

  test('a cold stop cuts a warm one short: what was running fails', async () => {
    const { app, worker } = setUp()
    const running = deferred()
    const forever = app.task('forever', () => {
      running.resolve()
      return new Promise<void>(() => {})
    })
    const one = worker()
    await one.start()
    const result = await forever.delay()
    await running.promise
    const warm = one.stop()
    await Promise.all([one.terminate(), warm, one.closed])
    await expect(result.get({ timeout: 10 })).rejects.toMatchObject({ name: 'WorkerLostError' })
    expect(one.active).toBe(0)
  })

  test('a cold stop gives back what is acknowledged late', async () => {
    const { app, worker } = setUp({ taskAcksLate: true })
    const running = deferred()
    const forever = app.task('forever', () => {
      running.resolve()
      return new Promise<void>(() => {})
    })
    const one = worker()
    await one.start()
    await forever.delay()
    await running.promise
    await one.terminate()
    const connection = app.connectionForRead()
    expect(await (await connection.broker()).declareQueue({ name: 'celery' })).toMatchObject({ held: 0, ready: 1 })
    await connection.close()
  })

  test('POOL-004 solo runs one task at a time and fetches nothing meanwhile', async () => {
    const { app, worker } = setUp()
    const gate = deferred()
    const running = deferred()
    const slow = app.task('slow', async () => {
      running.resolve()
      await gate.promise
    })
    const add = app.task('add', (x: number, y: number) => x + y)
    await using one = worker({ pool: 'solo', concurrency: 8 })
    await one.start()
    expect(one.concurrency).toBe(1)
    const first = await slow.delay()
    await running.promise
    const second = await add.delay(2, 3)
    const connection = app.connectionForRead()
    expect(await (await connection.broker()).declareQueue({ name: 'celery' })).toMatchObject({ held: 1, ready: 1 })
    await connection.close()
    gate.resolve()
    await first.get({ timeout: 10 })
    expect(await second.get({ timeout: 10 })).toBe(5)
  })

  test.each(['async', 'solo'])(
    'a slot of %s that was stuck takes tasks again when its function has settled',
    async (pool) => {
      const { app, worker } = setUp()
      const gate = deferred()
      const stuck = app.task('stuck', () => gate.promise, { timeLimit: 0.05 })
      const add = app.task('add', (x: number, y: number) => x + y)
      await using one = worker({ pool, concurrency: 1, prefetchMultiplier: 1 })
      await one.start()
      const first = await stuck.delay()
      await expect(first.get({ timeout: 10 })).rejects.toMatchObject({ name: 'TimeLimitExceeded' })
      const second = await add.delay(2, 3)
      gate.resolve()
      expect(await second.get({ timeout: 10 })).toBe(5)
    },
  )

  test('P-11 CONF-175 where the broker cannot hold delayed tasks, no more than the limit are held here', async () => {
    const { app, faults, logger, worker } = setUp({ workerEtaTaskLimit: 3 })
    app.task('later', () => 'ran')
    const connection = app.connectionForRead()
    onTestFinished(() => connection.close())
    const broker = await connection.broker()
    await broker.declareQueue({ name: 'celery' })
    const ids = ['a', 'b', 'c', 'd', 'e']
    const eta = new Date(Date.now() + 1_000).toISOString()
    for (const id of ids) {
      // As from a client that cannot leave the waiting to the broker.
      const headers = { lang: 'py', task: 'later', id, root_id: id, eta }
      const message = { headers, properties: {}, contentType: 'application/json', contentEncoding: 'utf-8' }
      await broker.publish([{ exchange: '', routingKey: 'celery', message: { ...message, body: '[[], {}, {}]' } }])
    }
    faults.capabilities = { delay: false }
    await using one = worker()
    await one.start()
    const received = (): number => logger.lines.filter((line) => line.endsWith('received')).length
    await expect.poll(received, { timeout: 10_000 }).toBe(3)
    expect(await broker.declareQueue({ name: 'celery' })).toMatchObject({ held: 3, ready: 2 })
    for (const id of ids) expect(await app.asyncResult(id).get({ timeout: 10 })).toBe('ran')
    expect(received()).toBe(5)
  })

  test('keeps running tasks whose broker fails under it, and takes further ones from the next connection', async () => {
    const { app, faults, logger, worker } = setUp({ taskAcksLate: true })
    const gate = deferred()
    const running = deferred()
    let runs = 0
    const slow = app.task('slow', async () => {
      runs++
      running.resolve()
      await gate.promise
      return 'done'
    })
    const add = app.task('add', (x: number, y: number) => x + y)
    // A slot for each of its two runs, and one for the others.
    await using one = worker({ concurrency: 3 })
    await one.start()
    const result = await slow.delay()
    await running.promise
    let failures = 1
    faults.fetch = async () => {
      if (failures-- > 0) throw new ConnectionLostError('fault://')
    }
    // The fetch that waits takes this one, and the one after it fails.
    const first = await add.delay(1, 1)
    expect(await first.get({ timeout: 10 })).toBe(2)
    expect(await (await add.delay(2, 2)).get({ timeout: 10 })).toBe(4)
    expect(logger.lines.some((line) => line.startsWith('consuming again from'))).toBe(true)
    gate.resolve()
    // What the lost connection held went back to the queue with it: it ran a second time, and ended.
    expect(await result.get({ timeout: 10 })).toBe('done')
    expect(runs).toBeLessThanOrEqual(2)
  })

  test('a message whose handling fails is dead-lettered, and the next one runs', async () => {
    const { app, logger, worker } = setUp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const failing = silentLogger()
    let fail = true
    failing.info = (line) => {
      logger.info(line)
      if (!fail || !line.includes('received')) return
      fail = false
      throw new Error('the logger broke')
    }
    await using one = worker({ logger: failing })
    await one.start()
    await add.delay(1, 1)
    expect(await (await add.delay(2, 2)).get({ timeout: 10 })).toBe(4)
    expect(failing.lines).toContainEqual(expect.stringMatching(/^Rejected message .*the logger broke/))
  })

  test.each<[string, SettingsInput, WorkerOptions, number]>([
    ['CONF-174 four for each slot', {}, {}, 8],
    ['CONF-174 as many as the setting says', { workerPrefetchMultiplier: 3 }, {}, 6],
    ['CONF-174 as many as the option says', { workerPrefetchMultiplier: 3 }, { prefetchMultiplier: 1 }, 2],
    ['CONF-174 all with 0', { workerPrefetchMultiplier: 0 }, {}, 20],
    ['CONF-176 what runs with workerDisablePrefetch', { workerDisablePrefetch: true }, {}, 2],
    ['CONF-176 what runs with disablePrefetch', {}, { disablePrefetch: true }, 2],
  ])('of 20 messages holds %s', async (_name, settings, options, held) => {
    const { app, connections, worker } = setUp({ taskAcksLate: true, ...settings })
    const gate = deferred()
    const slow = app.task('slow', () => gate.promise)
    const results = await Promise.all(Array.from({ length: 20 }, () => slow.delay()))
    await using one = worker({ ...options, pool: 'async' })
    await one.start()
    while (one.active < 2) await new Promise((resolve) => setImmediate(resolve))
    const [broker] = connections
    expect(await broker?.declareQueue({ name: 'celery' })).toMatchObject({ held, ready: 20 - held })
    gate.resolve()
    await Promise.all(results.map((result) => result.get({ timeout: 20 })))
  })

  test('with reliability "safe" a message is either running or in the queue', async () => {
    const { app, connections, worker } = setUp({ reliability: 'safe' })
    const gate = deferred()
    const slow = app.task('slow', () => gate.promise)
    await using one = worker({ concurrency: 2 })
    const results = await Promise.all(Array.from({ length: 6 }, () => slow.delay()))
    await one.start()
    while (one.active < 2) await new Promise((resolve) => setImmediate(resolve))
    const [broker] = connections
    expect(await broker?.declareQueue({ name: 'celery' })).toMatchObject({ held: 2, ready: 4 })
    gate.resolve()
    await Promise.all(results.map((result) => result.get({ timeout: 10 })))
    expect(one.processed).toBe(6)
  })
})
