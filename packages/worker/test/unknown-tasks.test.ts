import { Celery, type SettingsInput } from '@celery/app'
import { memoryBackend } from '@celery/backend-memory'
import type { Connection } from '@celery/messaging'
import { ManualClock } from '@celery/promises'
import type { TaskMessageTooLargeError } from '@celery/protocol'
import type { Delivery, Transport } from '@celery/transport'
import { memoryTransport } from '@celery/transport-memory'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createWorker, type Logger, type Worker, type WorkerOptions } from '../src/index.ts'

const deadlineMs = 20_000

/** Programs of one deployment, which share a broker, a store and the time. */
class Deployment {
  readonly clock: ManualClock = new ManualClock()
  readonly #transport: Transport
  readonly #canPark: boolean
  readonly #backend = memoryBackend({ now: () => this.clock.now() })

  /** @param canPark whether its broker can hold a message back until a time */
  constructor(canPark = true) {
    this.#canPark = canPark
    const memory = memoryTransport({ clock: this.clock })
    this.#transport = {
      ...memory,
      async open(address, options) {
        const broker = await memory.open(address, options)
        const value = { ...broker.capabilities, delay: canPark }
        return Object.defineProperty(broker, 'capabilities', { value })
      },
    }
  }

  program(settings: SettingsInput = {}): Program {
    const app = new Celery('test', { broker: 'memory://', backend: 'memory://', notify: () => {} })
    app.substitute({
      transport: this.#transport,
      backend: this.#backend,
      clock: this.clock,
      // Time is moved by minutes.
      settings: { unknownTasks: 'requeue', leaseMs: 2 ** 30, ...settings },
    })
    onTestFinished(() => app.close())
    return new Program(app, this.clock, this.#canPark)
  }
}

class Program {
  readonly app: Celery
  readonly log: string[] = []
  readonly warnings: string[] = []
  readonly errors: string[] = []
  readonly #received: { readonly task: string; readonly at: number }[] = []
  readonly #workers: Worker[] = []
  readonly #canPark: boolean
  readonly #clock: ManualClock
  readonly #startMs: number
  readonly #connection: Connection

  constructor(app: Celery, clock: ManualClock, canPark: boolean) {
    this.app = app
    this.#canPark = canPark
    this.#clock = clock
    this.#startMs = clock.now()
    this.#connection = app.connectionForRead()
    onTestFinished(() => this.#connection.close())
  }

  async startWorker(options: WorkerOptions = {}): Promise<Worker> {
    const worker = createWorker(this.app, { logger: this.#logger(), concurrency: 1, ...options })
    onTestFinished(() => worker.stop())
    this.#workers.push(worker)
    await worker.start()
    return worker
  }

  /** Seconds after the start of the test at which a worker got a message of the task. */
  received(task: string): readonly number[] {
    return this.#received.filter((each) => each.task === task).map(({ at }) => at)
  }

  /** Sends a task as a client does that cannot leave the waiting to the broker. */
  async put(task: string, id: string, eta: Date): Promise<void> {
    const headers = { lang: 'py', task, id, root_id: id, eta: eta.toISOString() }
    const message = { headers, properties: {}, contentType: 'application/json', contentEncoding: 'utf-8' }
    const broker = await this.#connection.broker()
    await broker.publish([{ exchange: '', routingKey: 'celery', message: { ...message, body: '[[], {}, {}]' } }])
  }

  /** Lets time pass, second by second, until something holds. */
  async passUntil(holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + deadlineMs
    for (;;) {
      await this.#untilQuiet(end)
      if (await holds()) return
      if (performance.now() > end) throw new Error(`it did not come to that; the log:\n${this.log.join('\n')}`)
      await this.#clock.advanceAsync(1_000)
    }
  }

  /** What a task came to, however long that takes on the clock. */
  async outcome(id: string): Promise<string> {
    const result = this.app.asyncResult(id)
    await this.passUntil(async () => await result.ready())
    const value = await result.get({ propagate: false })
    return `${await result.state()} ${String(value)}`
  }

  async queue() {
    return (await this.#connection.broker()).declareQueue({ name: 'celery' })
  }

  /** Takes one message, and does not say what becomes of it. */
  async fetch(queue = 'celery'): Promise<Delivery> {
    const broker = await this.#connection.broker()
    const [delivery] = await broker.fetch([queue], { max: 1, signal: AbortSignal.timeout(deadlineMs) })
    return delivery as Delivery
  }

  /** Brings a message back as from a worker that was lost. */
  async lose(delivery: Delivery): Promise<void> {
    const broker = await this.#connection.broker()
    await broker.settle([{ delivery, action: { type: 'requeue', counted: true } }])
  }

  /** Nothing happens any more until time moves on. */
  async #untilQuiet(end: number): Promise<void> {
    for (;;) {
      for (const worker of this.#workers) await worker.idle()
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
      const { held, ready } = await this.queue()
      if (ready === 0 && (held === 0 || !this.#canPark)) return
      if (performance.now() > end) throw new Error(`the queue is never quiet; the log:\n${this.log.join('\n')}`)
    }
  }

  #logger(): Logger {
    const to = (lines: string[]) => (line: string) => {
      lines.push(line)
      this.log.push(line)
    }
    const info = (line: string): void => {
      this.log.push(line)
      const [, task] = /^Task (.+)\[.*\] received$/.exec(line) ?? []
      if (task !== undefined) this.#received.push({ task, at: (this.#clock.now() - this.#startMs) / 1_000 })
    }
    return {
      debug: to([]),
      info,
      warning: to(this.warnings),
      error: to(this.errors),
      critical: to(this.errors),
      isEnabled: () => true,
    }
  }
}

function headersOf({ payload }: Delivery): Readonly<Record<string, unknown>> {
  return (JSON.parse(String(payload)) as { readonly headers: Readonly<Record<string, unknown>> }).headers
}

describe("with unknownTasks: 'requeue'", () => {
  test.each(['nope', '__proto__'])(
    'H-11 what no worker knows (%s) waits longer and longer, then fails',
    async (name) => {
      const program = new Deployment().program({ unknownTaskWaitMs: 100_000 })
      const { app } = program
      const told: unknown[] = []
      app.signals.taskUnknown.connect(({ error, id, queue, sender }) => {
        told.push([sender, id, queue, error.name])
      })
      await program.startWorker()
      const { id } = await app.sendTask(name, [1])
      expect(await program.outcome(id)).toMatch(/^FAILURE NotRegistered: the worker that got the call knows no task/)
      expect(program.received(name)).toEqual([0, 1, 2, 4, 8, 16, 32, 62, 92, 100])
      expect(told).toEqual([[name, id, 'celery', 'NotRegistered']])
      expect(program.warnings).toEqual([
        `Task ${name}[${id}] from queue "celery" is not registered here; requeued for up to 100 s, so that a worker that knows it can take it`,
      ])
      expect(program.errors).toEqual([expect.stringContaining(`Refused ${name}[${id}] from queue "celery": `)])
      expect(await program.queue()).toMatchObject({ ready: 0, delayed: 0, held: 0 })
      const dead = await program.fetch('celery.dead')
      expect([headersOf(dead)['id'], dead.deadReason]).toEqual([id, expect.stringContaining(name)])
    },
  )

  test('F-14 one that knows it and comes meanwhile runs it, once', async () => {
    const deployment = new Deployment()
    const old = deployment.program()
    const worker = await old.startWorker()
    const { id } = await old.app.sendTask('added', [2, 3], { priority: 7, headers: { own: 'kept' } })
    await old.passUntil(() => old.received('added').length === 5)
    const next = deployment.program()
    const runs: unknown[] = []
    next.app.task(
      'added',
      async (context, x: number, y: number) => {
        const { headers, priority, retries } = context.request
        runs.push([retries, priority, headers['own'], 'x-celery-unknown' in headers])
        if (retries === 0) throw context.retry({ countdown: 1 })
        return x + y
      },
      { bind: true },
    )
    await next.startWorker()
    await worker.stop()
    expect(await next.outcome(id)).toBe('SUCCESS 5')
    // A retry starts anew.
    expect(runs).toEqual([
      [0, 7, 'kept', true],
      [1, 7, 'kept', false],
    ])
    expect(await next.queue()).toMatchObject({ ready: 0, delayed: 0, held: 0 })
    expect(old.errors).toEqual([])
  })

  test('a wait goes on where another worker had begun it, and what comes back from the dead letters starts anew', async () => {
    const program = new Deployment().program({ unknownTaskWaitMs: 10_000 })
    const first = await program.startWorker()
    const { id } = await program.app.sendTask('nope')
    await program.passUntil(() => program.received('nope').length === 4)
    await first.stop()
    await program.startWorker()
    expect(await program.outcome(id)).toMatch(/^FAILURE NotRegistered/)
    expect(program.received('nope')).toEqual([0, 1, 2, 4, 8, 10])
    await program.app.asyncResult(id).forget()
    expect(await program.app.deadLetters().requeue([id])).toMatchObject({ requeued: [id] })
    expect(await program.outcome(id)).toMatch(/^FAILURE NotRegistered/)
    expect(program.received('nope').slice(6)).toEqual([10, 11, 12, 14, 18, 20])
  })

  test('the time to be found begins when the task is due', async () => {
    const program = new Deployment().program({ unknownTaskWaitMs: 1_000 })
    await program.startWorker()
    const { id } = await program.app.sendTask('nope', [], { countdown: 3_600 })
    expect(await program.outcome(id)).toMatch(/^FAILURE NotRegistered/)
    expect(program.received('nope')).toEqual([3_600, 3_601])
  })

  test('what expires meanwhile is shown more often before it does, and then revoked', async () => {
    const program = new Deployment().program()
    await program.startWorker()
    const { id } = await program.app.sendTask('nope', [], { expires: 60 })
    expect(await program.outcome(id)).toMatch(/^REVOKED TaskRevokedError: expired/)
    expect(program.received('nope').filter((at) => at > 32 && at < 60).length).toBeGreaterThan(2)
    expect(program.received('nope').at(-1)).toBeLessThanOrEqual(62)
    expect(program.errors).toEqual([])
    expect(await program.queue()).toMatchObject({ ready: 0, delayed: 0, held: 0 })
  })

  test('how often a message came back from lost workers is not forgotten', async () => {
    const deployment = new Deployment()
    const old = deployment.program()
    const { id } = await old.app.sendTask('added')
    await old.lose(await old.fetch())
    const worker = await old.startWorker()
    await old.passUntil(async () => (await old.queue()).delayed === 1)
    await worker.stop()
    deployment.clock.advance(1_000)
    await old.lose(await old.fetch())
    const next = deployment.program({ maxRedeliveries: 1 })
    next.app.task('added', () => 'ran')
    await next.startWorker()
    expect(await next.outcome(id)).toMatch(/^FAILURE WorkerLostError: the message came back 2 times/)
  })

  test('a message that cannot become longer fails at once', async () => {
    const program = new Deployment().program()
    const send = (length: number) => program.app.sendTask('nope', ['x'.repeat(length)])
    const refused = await send(2 ** 24).catch((error: unknown) => error as TaskMessageTooLargeError)
    const { limitBytes, sizeBytes } = refused as TaskMessageTooLargeError
    const { id } = await send(2 ** 24 - (sizeBytes - limitBytes))
    await program.startWorker()
    expect(await program.outcome(id)).toMatch(/^FAILURE .*TaskMessageTooLargeError/)
    expect(program.received('nope')).toEqual([0])
  })

  test('they take no room from tasks that are known', async () => {
    const program = new Deployment().program({ workerPrefetchMultiplier: 1 })
    const add = program.app.task('add', (x: number, y: number) => x + y)
    for (let n = 0; n < 50; n++) await program.app.sendTask('nope', [n])
    const { id } = await add.delay(2, 3)
    await program.startWorker()
    expect(await program.outcome(id)).toBe('SUCCESS 5')
    expect(program.received('nope')).toEqual(Array.from({ length: 50 }, () => 0))
  })
})

describe('on a broker that cannot hold messages back', () => {
  test('they wait in the worker, and take no room from tasks that are known', async () => {
    const program = new Deployment(false).program({ workerPrefetchMultiplier: 1, unknownTaskWaitMs: 10_000 })
    const add = program.app.task('add', (x: number, y: number) => x + y)
    const unknown: string[] = []
    for (let n = 0; n < 50; n++) unknown.push((await program.app.sendTask('nope', [n])).id)
    const { id } = await add.delay(2, 3)
    await program.startWorker()
    await vi.waitFor(async () => expect(await program.app.asyncResult(id).state()).toBe('SUCCESS'), deadlineMs)
    expect(await program.queue()).toMatchObject({ ready: 0, held: 50 })
    for (const each of unknown) expect(await program.outcome(each)).toMatch(/^FAILURE NotRegistered/)
    expect(program.received('nope')).toHaveLength(50 * 6)
    expect(await program.queue()).toMatchObject({ ready: 0, held: 0 })
  })

  test('a worker that stops gives back what waits there', async () => {
    const deployment = new Deployment(false)
    const old = deployment.program()
    const ids: string[] = []
    for (let n = 0; n < 20; n++) ids.push((await old.app.sendTask('added', [n])).id)
    await old.put('added', 'later', new Date(deployment.clock.now() + 1_000))
    const worker = await old.startWorker()
    await vi.waitFor(async () => expect(await old.queue()).toMatchObject({ ready: 0, held: 21 }), deadlineMs)
    await worker.stop()
    expect(await old.queue()).toMatchObject({ ready: 21, held: 0 })
    const next = deployment.program()
    const runs: number[] = []
    next.app.task('added', (n = 20) => runs.push(n))
    await next.startWorker()
    for (const id of [...ids, 'later']) expect(await next.outcome(id)).toMatch(/^SUCCESS/)
    expect(runs.sort((a, b) => a - b)).toEqual(Array.from({ length: 21 }, (_, n) => n))
  })

  test('the time to be found begins when the task is due', async () => {
    const program = new Deployment(false).program({ unknownTaskWaitMs: 1_000 })
    await program.startWorker()
    await program.put('nope', 'due', new Date(program.app.clock.now() + 60_000))
    expect(await program.outcome('due')).toMatch(/^FAILURE NotRegistered/)
    // The first time is before it is due.
    expect(program.received('nope')).toEqual([0, 61])
  })
})

/** As where the files of a running worker are replaced: its new pool processes lack a task that it knows. */
describe.each([
  ['acknowledged early', false],
  ['acknowledged late', true],
])('a task that the pool does not know, %s', (_when, taskAcksLate) => {
  async function setUp(canPark: boolean, settings: SettingsInput) {
    const deployment = new Deployment(canPark)
    const program = deployment.program({ taskAcksLate, ...settings })
    const moved = program.app.task('moved', () => 'never here')
    const worker = await program.startWorker()
    program.app.tasks.unregister('moved')
    const called: string[] = []
    const failed = program.app.task('failed', (id: string) => void called.push(id))
    const { id } = await moved.applyAsync([], { linkError: failed.s() as never })
    return { called, deployment, id, program, worker }
  }

  test('is requeued, and runs where it is known', async () => {
    const { called, deployment, id, program, worker } = await setUp(true, {})
    await program.passUntil(() => program.received('moved').length === 4)
    await worker.stop()
    const next = deployment.program()
    next.app.task('moved', () => 'there')
    await next.startWorker()
    expect(await next.outcome(id)).toBe('SUCCESS there')
    expect(await next.queue()).toMatchObject({ ready: 0, delayed: 0, held: 0 })
    expect([called, program.errors, program.warnings.length]).toEqual([[], [], 1])
  })

  test('fails when its time is over', async () => {
    const { id, program } = await setUp(true, { unknownTaskWaitMs: 4_000 })
    expect(await program.outcome(id)).toMatch(/^FAILURE NotRegistered/)
    expect(program.received('moved')).toEqual([0, 1, 2, 4])
    expect(program.errors).toHaveLength(1)
    expect(headersOf(await program.fetch('celery.dead'))['id']).toBe(id)
  })

  test('is not lost on a broker that cannot hold messages back', async () => {
    const { id, program } = await setUp(false, { unknownTaskWaitMs: 4_000 })
    expect(await program.outcome(id)).toMatch(/^FAILURE NotRegistered/)
    // Acknowledged already, it could only wait in a memory that may be lost.
    expect(program.received('moved')).toEqual(taskAcksLate ? [0, 1, 2, 4] : [0])
    expect(program.warnings).toHaveLength(taskAcksLate ? 1 : 0)
    expect(headersOf(await program.fetch('celery.dead'))['id']).toBe(id)
  })

  test('fails at once by default', async () => {
    const { id, program } = await setUp(true, { unknownTasks: 'dead-letter' })
    expect(await program.outcome(id)).toMatch(/^FAILURE NotRegistered/)
    expect(headersOf(await program.fetch('celery.dead'))['id']).toBe(id)
  })
})
