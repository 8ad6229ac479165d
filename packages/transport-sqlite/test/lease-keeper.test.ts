import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { deferred } from '@celery/promises'
import { openDatabase } from '@celery/sqlite'
import type { Delivery, DeliveryRef, KeepLeases } from '@celery/transport'
import type { VirtualBroker } from '@celery/transport/virtual'
import { describe, expect, onTestFinished, test } from 'vitest'
import { keepLeases } from '../src/lease-keeper.ts'
import { openSqliteBroker } from '../src/sqlite-broker.ts'

const leaseMs = 300
const message = { queue: 'q', tag: 'a', payload: 'body', priority: 0 }

describe('the lease keeper', () => {
  test('F-04: keeps leases while the main thread does not, and others take over once it has ended', async () => {
    const { path, open } = await setUp()
    // Its own clock stands still, so the connection never renews by itself.
    const startedMs = Date.now()
    const holder = await open({ path, leaseMs, now: () => startedMs })
    await holder.put([message])
    const [delivery] = await take(holder)
    const keeper = startKeeper(holder)
    const other = await open({ path, leaseMs })
    const passed = new Promise<void>((resolve) => setTimeout(resolve, 3 * leaseMs))
    const taken = take(other)
    expect(await Promise.race([taken.then(() => 'taken'), passed.then(() => 'kept')])).toBe('kept')

    await keeper.stop()
    expect(await taken).toMatchObject([{ tag: 'a', redeliveries: 1 }])
    expect(await holder.settle([{ delivery: delivery as Delivery }])).toEqual(['stale'])
  })

  test('takes over what a lost owner held, when nobody waits for it', async () => {
    const { path, open } = await setUp()
    const longAgo = Date.now() - 60_000
    const lost = await open({ path, leaseMs, now: () => longAgo })
    await lost.put([message])
    await take(lost)
    const keeper = startKeeper(await open({ path, leaseMs }))
    const database = await openDatabase(path)
    onTestFinished(() => database.close())
    // Any operation of a connection would take over, too.
    const ready = database.prepare('SELECT count(*) FROM ready')
    await until(async () => ready.values([])[0]?.[0] === 1)
    await keeper.stop()
  })

  test('P-2 takes nothing over from one who could not renew either, however often it failed to renew itself', async () => {
    const { path, open } = await setUp()
    const leaseMs = 1_500
    const options = { path, leaseMs, takeoverGraceMs: leaseMs }
    // Its lease is good all the time, so that those that end stand out.
    const living = await open({ path, leaseMs: 600_000 })
    const keeper = startKeeper(await open(options))
    await keeper.ready
    await living.put([message, { ...message, tag: 'b' }])
    await take(living)
    const startedMs = Date.now()
    const late = await open({ ...options, now: () => startedMs })
    const [held] = await take(late)

    const database = await openDatabase(path)
    onTestFinished(() => database.close())
    const mine = database.prepare('SELECT max(lease_until_ms) FROM owner WHERE lease_until_ms < ? + 300000')
    database.exec('BEGIN IMMEDIATE')
    const lastMs = startedMs + leaseMs
    await until(async () => keeper.failures.length >= 3 && Date.now() > lastMs)
    database.exec('COMMIT')
    await until(async () => Number(mine.values([Date.now()])[0]?.[0]) > lastMs)
    expect(await late.settle([{ delivery: held as Delivery }])).toEqual(['done'])
    await keeper.stop({ mayFail: true })
  })

  test('P-2 empties the log under a lease that outlasts a slow disk, and goes back to the short one', async () => {
    const { path, open } = await setUp()
    const holder = await open({ path, leaseMs })
    const database = await openDatabase(path)
    onTestFinished(() => database.close())
    database.exec('CREATE TABLE renewal (lease_ms)')
    database.exec(`CREATE TRIGGER renewed AFTER UPDATE ON owner WHEN new.lease_ms <> old.lease_ms
      BEGIN INSERT INTO renewal VALUES (new.lease_ms); END`)
    const payload = 'x'.repeat(2 ** 20)
    await holder.put(Array.from({ length: 6 }, (_, index) => ({ ...message, tag: `${index}`, payload })))
    const log = (): number => statSync(`${path}-wal`).size
    expect(log()).toBeGreaterThan(6 * 2 ** 20)
    const keeper = startKeeper(holder)
    await until(async () => log() < 2 ** 20)
    await keeper.stop()
    expect(database.prepare('SELECT lease_ms FROM renewal').values([])).toEqual([[3_000], [leaseMs]])
  })

  test('gives back what must no longer be renewed, counted', async () => {
    const { path, open } = await setUp()
    const holder = await open({ path })
    await holder.put([message])
    const [delivery] = await take(holder)
    const keeper = startKeeper(holder)
    keeper.abandon([delivery as Delivery])
    expect(await take(await open({ path }))).toMatchObject([{ tag: 'a', redeliveries: 1 }])
    expect(await holder.settle([{ delivery: delivery as Delivery }])).toEqual(['stale'])
    await keeper.stop()
  })

  test('gives back as soon as it can what it could not give back because the file was locked', async () => {
    const { path, open } = await setUp()
    // So long that no lease ends here, whatever it does.
    const leaseMs = 3_000
    const holder = await open({ path, leaseMs })
    await holder.put([message])
    const [delivery] = await take(holder)
    const keeper = startKeeper(holder)
    await keeper.ready
    const database = await openDatabase(path)
    onTestFinished(() => database.close())
    database.exec('BEGIN IMMEDIATE')
    keeper.abandon([delivery as Delivery])
    expect(await keeper.failed).toMatchObject({ code: 'ERR_CELERY_DATABASE_BUSY' })
    database.exec('COMMIT')
    expect(await take(await open({ path, leaseMs }))).toMatchObject([{ tag: 'a', redeliveries: 1 }])
    await keeper.stop({ mayFail: true })
  })

  test('runs from the module that the connection names, in a worker thread', async () => {
    const { path, open } = await setUp()
    const { leaseKeeper } = await open({ path, leaseMs })
    const source = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.module).then(({ keepLeases }) => {
        const controller = new AbortController()
        parentPort.on('message', () => controller.abort())
        const commands = { signal: controller.signal, onAbandon() {}, onHold() {}, onRelease() {}, ready() {}, report() {} }
        parentPort.postMessage('running')
        return keepLeases(workerData.data, commands)
      }).then(() => process.exit(0))`
    const workerData = { module: leaseKeeper?.module.href, data: leaseKeeper?.data }
    const thread = new Worker(source, { eval: true, workerData, execArgv: [] })
    const exited = new Promise((resolve) => thread.once('exit', resolve))
    thread.on('message', () => thread.postMessage('stop'))
    expect(await exited).toBe(0)
  })
})

interface Keeper {
  /** It has renewed once. */
  readonly ready: Promise<void>
  /** The first error it reports. */
  readonly failed: Promise<unknown>
  readonly failures: readonly unknown[]
  abandon(of: readonly DeliveryRef[]): void
  stop(options?: { readonly mayFail?: boolean }): Promise<void>
}

/** Runs the keeper in this thread; threads of a test would run what is in `dist`. */
function startKeeper(broker: VirtualBroker): Keeper {
  const controller = new AbortController()
  let abandon: (deliveries: readonly DeliveryRef[]) => void = () => {}
  const ready = deferred()
  const failed = deferred<unknown>()
  const failures: unknown[] = []
  const commands: Parameters<KeepLeases>[1] = {
    signal: controller.signal,
    onAbandon(handler) {
      abandon = handler
    },
    onHold() {},
    onRelease() {},
    ready: () => ready.resolve(),
    report(error) {
      failures.push(error)
      failed.resolve(error)
    },
  }
  const running = keepLeases(broker.leaseKeeper?.data, commands)
  return {
    ready: ready.promise,
    failed: failed.promise,
    failures,
    abandon: (deliveries) => void ready.promise.then(() => abandon(deliveries)),
    async stop({ mayFail = false } = {}) {
      controller.abort()
      await running
      if (!mayFail) expect(failures).toEqual([])
    },
  }
}

function take(broker: VirtualBroker): Promise<readonly Delivery[]> {
  return broker.fetch(['q'], { max: 1, signal: AbortSignal.timeout(20_000) })
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
}

async function setUp(): Promise<{ path: string; open: typeof openSqliteBroker }> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-keeper-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return {
    path: join(folder, 'queue.db'),
    async open(options) {
      const broker = await openSqliteBroker(options)
      onTestFinished(() => broker.close())
      return broker
    },
  }
}
