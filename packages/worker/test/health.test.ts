import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Celery, type TaskContext } from '@celery/app'
import { type BackendDriver, BackendUnavailableError } from '@celery/backend'
import { memory as memoryBackend } from '@celery/backend-memory'
import { deferred } from '@celery/promises'
import { ConnectionLostError, type Transport } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { askWorkers } from '@celery/worker/health-client'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createWorker, type Logger, type Worker, type WorkerOptions } from '../src/index.ts'
import { type ParsedMetric, parseMetrics } from './parse-metrics.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-health-'))
  process.env.CELERY_RUNTIME_DIR = folder
  return () => {
    delete process.env.CELERY_RUNTIME_DIR
    rmSync(folder, { recursive: true, force: true })
  }
})

/** An app on a broker in this process, which the test may put something in front of. */
function setUp() {
  const memory = memoryTransport()
  const faults: { open?: () => Promise<void>; fetch?: () => Promise<void> } = {}
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
      return broker
    },
  }
  const app = new Celery('test', { broker: 'fault://', backend: 'memory://', notify: () => {} })
  app.transports.register('fault', async () => transport)
  app.backends.register('memory', async () => memoryBackend)
  onTestFinished(() => app.close())
  const lines: string[] = []
  const log = (line: string): void => void lines.push(line)
  const logger: Logger = { debug: log, info: log, warning: log, error: log, critical: log, isEnabled: () => true }
  const worker = (options: WorkerOptions = {}): Worker => {
    const made = createWorker(app, { logger, concurrency: 2, hostname: 'w@h', health: true, healthPort: 0, ...options })
    onTestFinished(() => made.terminate().catch(() => {}))
    return made
  }
  const url = async (): Promise<string> => {
    for (;;) {
      const found = lines.map((line) => /^health: (http:\S+)\/live/.exec(line)?.[1]).find((each) => each !== undefined)
      if (found !== undefined) return found
      await sleep(5)
    }
  }
  const ready = async (): Promise<{ readonly status: number; readonly body: unknown }> => {
    const response = await fetch(`${await url()}/ready`)
    return { status: response.status, body: await response.json() }
  }
  const until = async (status: number): Promise<unknown> => {
    for (;;) {
      const answer = await ready()
      if (answer.status === status) return answer.body
      await sleep(10)
    }
  }
  const metrics = async (): Promise<ReadonlyMap<string, ParsedMetric>> =>
    parseMetrics(await (await fetch(`${await url()}/metrics`)).text())
  return { app, faults, lines, metrics, ready, until, url, worker }
}

const lost = (): Promise<never> => Promise.reject(new ConnectionLostError('fault://'))

describe('the health of a worker', () => {
  test('P-12 is ready from when it has started until it stops', async () => {
    const { app, faults, ready, until, worker } = setUp()
    const released = deferred()
    const began = deferred()
    app.task('wait', async () => {
      began.resolve()
      await released.promise
    })
    const opened = deferred()
    faults.open = () => opened.promise
    const one = worker()
    const started = one.start()
    expect(await ready()).toEqual({
      status: 503,
      body: { ready: false, state: 'starting', reasons: [{ code: 'starting', message: 'it is starting' }] },
    })
    opened.resolve()
    await started
    expect(await until(200)).toEqual({ ready: true, state: 'running', reasons: [] })
    await app.sendTask('wait')
    await began.promise
    const stopping = one.stop()
    expect(await ready()).toEqual({
      status: 503,
      body: { ready: false, state: 'stopping', reasons: [{ code: 'stopping', message: 'it is stopping' }] },
    })
    released.resolve()
    await stopping
    await expect(ready()).rejects.toThrow()
    expect(readdirSync(folder)).toEqual([])
  })

  test('P-12 is not ready without its broker, and is again with it', async () => {
    const { faults, until, worker } = setUp()
    await using one = worker()
    await one.start()
    await until(200)
    faults.fetch = lost
    // What waits for messages now gets one; the next fetch fails.
    await one.app.sendTask('nobody')
    faults.open = lost
    expect(await until(503)).toMatchObject({
      state: 'running',
      reasons: [
        { code: 'broker', message: expect.stringMatching(/^nothing is consumed for \d+ s: .*fault:\/\/.* lost/) },
      ],
    })
    delete faults.open
    delete faults.fetch
    expect(await until(200)).toMatchObject({ ready: true })
  })

  test('P-12 F-24 a start that waits for its result store says so', async () => {
    const { app, ready, until, worker } = setUp()
    const [asked, opened] = [deferred(), deferred()]
    let tries = 0
    const open: BackendDriver['open'] = async (url, options) => {
      if (++tries === 1) throw new BackendUnavailableError(url, 'nobody listens there')
      asked.resolve()
      await opened.promise
      return memoryBackend.open(url, options)
    }
    app.backends.register('memory', async () => ({ name: 'memory', open }))
    await using one = worker()
    const started = one.start()
    await asked.promise
    const message = expect.stringMatching(/^it is starting; cannot open the result store: .*nobody listens there$/)
    expect(await ready()).toMatchObject({ status: 503, body: { reasons: [{ code: 'starting', message }] } })
    opened.resolve()
    await started
    expect(await until(200)).toMatchObject({ reasons: [] })
  })

  test('P-12 is not ready while every slot is taken by a task that cannot be stopped', async () => {
    const { app, until, worker } = setUp()
    const released = deferred()
    const stuck = app.task('stuck', () => released.promise, { timeLimit: 0.05 })
    await using one = worker({ concurrency: 1 })
    await one.start()
    await stuck.delay()
    expect(await until(503)).toMatchObject({
      reasons: [{ code: 'pool', message: expect.stringContaining('the only slot of the pool is taken by a task') }],
    })
    released.resolve()
    await until(200)
  })

  test('is asked over its own socket, without a port', async () => {
    const { app, worker } = setUp()
    const add = app.task('add', (x: number, y: number) => x + y)
    const { healthPort: _, ...options } = { healthPort: 0 }
    const one = createWorker(app, { hostname: 'two@h', health: true, logLevel: 'error', ...options })
    await using _stopping = one
    await one.start()
    await (await add.delay(1, 2)).get({ timeout: 20 })
    await using other = worker()
    await other.start()
    const ask = () => askWorkers({ timeoutMs: 20_000, node: 'two@h' })
    let asked = await ask()
    // It is there a moment after the worker is.
    while (asked.length < 2) asked = await ask()
    expect(asked.map(({ isMeant, report }) => [isMeant, report?.node]).sort()).toEqual([
      [false, 'w@h'],
      [true, 'two@h'],
    ])
    expect(asked.find(({ isMeant }) => isMeant)?.report).toMatchObject({
      ready: true,
      processed: 1,
      consumedAt: expect.stringMatching(/^\d{4}-/),
    })
  })

  test('is nobody’s business unless it is asked for', async () => {
    const { app } = setUp()
    await using one = createWorker(app, { logLevel: 'error' })
    await one.start()
    expect(readdirSync(folder)).toEqual([])
  })

  test('a port that is taken keeps the worker from starting, and nothing stays open', async () => {
    const { worker } = setUp()
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const one = worker({ healthPort: port })
    await expect(one.start()).rejects.toMatchObject({ code: 'ERR_CELERY_HEALTH_ADDRESS', address: `127.0.0.1:${port}` })
    await expect(one.closed).rejects.toThrow('EADDRINUSE')
    expect(readdirSync(folder)).toEqual([])
  })

  test('a folder that cannot be used is a warning, and the worker works', async () => {
    const { app, lines, worker } = setUp()
    process.env.CELERY_RUNTIME_DIR = '/dev/null/celery'
    const add = app.task('add', (x: number, y: number) => x + y)
    await using one = worker()
    await one.start()
    expect(await (await add.delay(1, 2)).get({ timeout: 20 })).toBe(3)
    expect(lines.find((line) => line.startsWith('celery health does not find this worker'))).toMatch(
      /cannot use \/dev\/null\/celery for the worker's health: .*CELERY_RUNTIME_DIR/,
    )
  })

  test('counts what came of tasks, by names that are declared here', async () => {
    const { app, metrics, worker } = setUp()
    const add = app.task('add "it" \\', (x: number, y: number) => x + y)
    const fail = app.task('fail', (): never => {
      throw new RangeError('no')
    })
    const again = app.task(
      'again',
      (task: TaskContext): number => {
        if (task.request.retries === 0) throw task.retry({ countdown: 0 })
        return 1
      },
      { bind: true },
    )
    await using one = worker()
    await one.start()
    const calls = [await add.delay(1, 2), await fail.delay(), await again.delay(), await app.sendTask('made-up')]
    for (const call of calls) await call.get({ timeout: 20, propagate: false })
    await one.idle()
    const found = await metrics()
    const of = (metric: string): Readonly<Record<string, number>> =>
      Object.fromEntries(found.get(metric)?.samples.map(({ labels, value }) => [labels.name ?? '', value]) ?? [])
    expect(of('celery_task_received_total')).toEqual({ 'add "it" \\': 1, fail: 1, again: 2, '(other)': 1 })
    expect(of('celery_task_succeeded_total')).toMatchObject({ 'add "it" \\': 1, fail: 0, again: 1 })
    expect(of('celery_task_failed_total')).toMatchObject({ fail: 1, again: 0 })
    expect(of('celery_task_retried_total')).toMatchObject({ again: 1 })
    const runs = found.get('celery_task_runtime_seconds')?.samples.filter(({ name }) => name.endsWith('_count'))
    expect(runs?.map(({ labels, value }) => [labels.name, value])).toContainEqual(['again', 2])
    expect(of('celery_worker_messages_refused_total')).toEqual({ '': 1 })
    for (const [name, value] of [
      ['celery_worker_ready', 1],
      ['celery_worker_broker_connected', 1],
      ['celery_worker_pool_size', 2],
      ['celery_worker_tasks_active', 0],
      ['celery_worker_writes_pending', 0],
      ['celery_worker_broker_losses_total', 0],
    ] as const) {
      expect(found.get(name)?.samples, name).toEqual([{ name, labels: { hostname: 'w@h' }, value }])
    }
    expect(found.get('process_resident_memory_bytes')?.samples[0]?.value).toBeGreaterThan(2 ** 20)
  })
})
