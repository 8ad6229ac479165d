import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
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
    const other = await open({ path, leaseMs, now: () => longAgo })
    const keeper = startKeeper(other)
    await until(async () => (await other.declareQueue({ name: 'q' })).ready === 1)
    await keeper.stop()
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

/** Runs the keeper in this thread; threads of a test would run what is in `dist`. */
function startKeeper(broker: VirtualBroker): { abandon(of: readonly DeliveryRef[]): void; stop(): Promise<void> } {
  const controller = new AbortController()
  let abandon: (deliveries: readonly DeliveryRef[]) => void = () => {}
  let ready = (): void => {}
  const isReady = new Promise<void>((resolve) => {
    ready = resolve
  })
  const failures: unknown[] = []
  const commands: Parameters<KeepLeases>[1] = {
    signal: controller.signal,
    onAbandon(handler) {
      abandon = handler
      ready()
    },
    onHold() {},
    onRelease() {},
    ready() {},
    report: (error) => failures.push(error),
  }
  const running = keepLeases(broker.leaseKeeper?.data, commands)
  return {
    abandon: (deliveries) => void isReady.then(() => abandon(deliveries)),
    async stop() {
      controller.abort()
      await running
      expect(failures).toEqual([])
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
