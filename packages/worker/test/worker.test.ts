import { fileURLToPath } from 'node:url'
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

  test.each(['async', 'solo'] as const)(
    '%s takes a task that was declared after its start, with its options',
    async (pool) => {
      const { app, logger, worker } = setUp()
      await using one = worker({ pool })
      await one.start()
      const early = await app.sendTask('late', [1])
      await expect(early.get({ timeout: 10 })).rejects.toMatchObject({ name: 'NotRegistered' })
      const late = app.task('late', (x: number) => x + 1, { trackStarted: true, rateLimit: '1000/s' })
      expect(await (await late.delay(1)).get({ timeout: 10 })).toBe(2)
      expect(logger.lines.filter((line) => line.startsWith('Refused late['))).toEqual([
        `Refused late[${early.id}] from queue "celery": no task "late" is registered in this process; is the module that declares it imported here?`,
      ])
    },
  )

  test('one whose pool is elsewhere says why it refuses such a task, and what to do', async () => {
    const { app, logger, worker } = setUp()
    await using one = worker({ pool: `${fileURLToPath(new URL('fixtures/own-pool.mjs', import.meta.url))}:createPool` })
    await one.start()
    const late = app.task('late', () => 1)
    const result = await late.delay()
    await expect(result.get({ timeout: 10 })).rejects.toMatchObject({ name: 'NotRegistered' })
    expect(logger.lines.find((line) => line.startsWith('Refused late['))).toBe(
      `Refused late[${result.id}] from queue "celery": the task "late" was declared after the worker had started, and ` +
        'its pool does not know it; declare it before, in a module that the pool imports too, and start the worker again',
    )
  })

  test('CANV-061 a chain that fails is over for whoever asks for its end, and so is one that came too late', async () => {
    const { app, worker } = setUp()
    const next = app.task('next', (x: unknown) => x)
    const fails = app.task('fails', (): never => {
      throw new RangeError('no')
    })
    const late = await next.si(1).pipe(next.s()).pipe(next.s()).set({ expires: -1 }).delay()
    const failed = await fails.s().pipe(next.s()).pipe(next.s()).delay()
    const unknown = await app.signature('nobody').pipe(app.signature('next')).delay()
    await using one = worker()
    await one.start()
    for (const [{ id }, state, error] of [
      [failed, 'FAILURE', 'RangeError'],
      [unknown, 'FAILURE', 'NotRegistered'],
      [late, 'REVOKED', 'TaskRevokedError'],
    ] as const) {
      // By its id alone, as another program would.
      const result = app.asyncResult(id)
      await expect(result.get({ timeout: 10 }), state).rejects.toMatchObject({ name: error })
      expect([await result.state(), await result.ready()]).toEqual([state, true])
    }
  })

  test('WORK-044 tells once of a task that its rate limit holds back at the broker', async () => {
    const { app, logger, worker } = setUp()
    const seen: string[] = []
    app.signals.taskReceived.connect(({ request }) => void seen.push(request.id))
    const rare = app.task('rare', () => 1, { rateLimit: '40/m' })
    const later = app.task('later', () => 1)
    const calls = [await rare.delay(), await rare.delay(), await later.applyAsync([], { countdown: 0.5 })]
    await using one = worker()
    await one.start()
    for (const call of calls) await call.get({ timeout: 20 })
    const ids = calls.map(({ id }) => id).sort()
    expect(logger.lines.flatMap((line) => /\[(.*)\] received$/.exec(line)?.[1] ?? []).sort()).toEqual(ids)
    expect(seen.sort()).toEqual(ids)
  })

  test('refuses a pool that there is not, and closes what it had opened', async () => {
    const { worker } = setUp()
    const one = worker({ pool: 'fibers' as 'async' })
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

  test.each(['async', 'solo'] as const)(
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

  test.each([
    ['async', 2, 'each of the 2 slots of the pool is'],
    ['solo', 1, 'the only slot of the pool is'],
  ] as const)(
    'P-3 P-12 what %s has fetched goes to another worker when every slot is stuck',
    async (pool, slots, words) => {
      const { app, logger, worker } = setUp()
      const [gate, running] = [deferred(), deferred()]
      let started = 0
      const stuck = app.task(
        'stuck',
        () => {
          if (++started === slots) running.resolve()
          return gate.promise
        },
        { timeLimit: 0.3 },
      )
      const add = app.task('add', (x: number, y: number) => x + y)
      const doomed = await Promise.all(Array.from({ length: slots }, () => stuck.delay()))
      // Fetched ahead with those, and so waiting behind them.
      const ahead = await add.delay(0, 1)
      await using one = worker({ pool, concurrency: slots, hostname: 'one@here' })
      await one.start()
      await running.promise
      for (const result of doomed) await expect(result.get({ timeout: 20 })).rejects.toThrow('hard time limit')
      expect(one.processed).toBe(slots)
      await using two = worker({ pool, hostname: 'two@here', logger: silentLogger() })
      await two.start()
      expect(await ahead.get({ timeout: 20 })).toBe(1)
      const later = await Promise.all(Array.from({ length: 6 }, (_, n) => add.delay(n, 1)))
      expect(await Promise.all(later.map((result) => result.get({ timeout: 20 })))).toEqual([1, 2, 3, 4, 5, 6])
      expect(two.processed).toBe(7)
      expect(logger.lines).toContain(
        `${words} taken by a task that ran over its hard time limit and cannot be stopped: nothing runs here until one of them ends by itself or the worker is started anew; giving back what it has and taking no more messages`,
      )
      await two.stop()
      gate.resolve()
      expect(await (await add.delay(2, 3)).get({ timeout: 20 })).toBe(5)
      await expect
        .poll(() => logger.lines, { timeout: 20_000 })
        .toContain('the pool can run tasks again; taking messages')
    },
  )

  test('P-3 for a slot that is stuck nothing is fetched', async () => {
    const { app, worker } = setUp({ reliability: 'safe' })
    const [gate, running] = [deferred(), deferred()]
    const stuck = app.task('stuck', () => gate.promise, { timeLimit: 0.05 })
    const slow = app.task('slow', () => {
      running.resolve()
      return gate.promise
    })
    const add = app.task('add', (x: number, y: number) => x + y)
    await using one = worker({ concurrency: 2, hostname: 'one@here' })
    await one.start()
    await expect((await stuck.delay()).get({ timeout: 20 })).rejects.toThrow('hard time limit')
    const last = await slow.delay()
    await running.promise
    // Nobody else would take them by now.
    const results = await Promise.all(Array.from({ length: 4 }, (_, n) => add.delay(n, 1)))
    await using two = worker({ hostname: 'two@here' })
    await two.start()
    expect(await Promise.all(results.map((result) => result.get({ timeout: 20 })))).toEqual([1, 2, 3, 4])
    gate.resolve()
    await last.get({ timeout: 20 })
  })

  test('P-2 a task whose follow-up the broker refuses fails, and the log says that and no more', async () => {
    const { app, logger, worker } = setUp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const link = add.si(1, 1).set({ exchange: 'nowhere', routingKey: 'nobody' })
    await using one = worker()
    await one.start()
    const result = await add.applyAsync([2, 3], { link, taskId: 'linked' })
    await expect.poll(() => result.state(), { timeout: 20_000 }).toBe('FAILURE')
    expect(logger.lines).toContainEqual(
      expect.stringMatching(/^task linked fails, because the broker refuses what is to follow from it: .*"?nowhere/),
    )
    expect(logger.lines.filter((line) => line.includes('cannot be stored'))).toEqual([])
  })

  describe('CALL-006 a task that expires while it waits here is not run', () => {
    /** As from a client that leaves the waiting to the worker. */
    const put = async (app: Celery, id: string, headers: Readonly<Record<string, string>>): Promise<void> => {
      const broker = await app.connectionForRead().broker()
      const all = { lang: 'py', task: 'note', id, root_id: id, ...headers }
      const message = { headers: all, properties: {}, contentType: 'application/json', contentEncoding: 'utf-8' }
      await broker.publish([
        { exchange: '', routingKey: 'celery', message: { ...message, body: `[["${id}"], {}, {}]` } },
      ])
    }

    test('for its time, where the broker cannot hold it', async () => {
      const { app, faults, logger, worker } = setUp()
      const ran: string[] = []
      app.task('note', (id: string) => void ran.push(id))
      faults.capabilities = { delay: false }
      await using one = worker()
      await one.start()
      const at = (ms: number): string => new Date(start + ms).toISOString()
      const start = Date.now()
      await put(app, 'expires', { eta: at(2_000), expires: at(1_000) })
      await put(app, 'lives', { eta: at(2_000), expires: at(60_000) })
      expect(await app.asyncResult('lives').get({ timeout: 20 })).toBeNull()
      await expect(app.asyncResult('expires').get({ timeout: 20 })).rejects.toMatchObject({ name: 'TaskRevokedError' })
      expect(ran).toEqual(['lives'])
      expect(logger.lines).toContain('Task note[expires] received')
      expect(logger.lines).toContain('Discarding revoked task: note[expires] (expired)')
    })

    test('for its turn', async () => {
      const { app, worker } = setUp()
      const ran: string[] = []
      app.task('note', (id: string) => void ran.push(id), { rateLimit: '2/s' })
      await using one = worker()
      await put(app, 'first', {})
      await put(app, 'expires', { expires: new Date(Date.now() + 400).toISOString() })
      await put(app, 'last', {})
      await one.start()
      expect(await app.asyncResult('last').get({ timeout: 20 })).toBeNull()
      expect(await app.asyncResult('expires').state()).toBe('REVOKED')
      expect(ran).toEqual(['first', 'last'])
    })
  })

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
