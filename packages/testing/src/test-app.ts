import { AssertionError } from 'node:assert'
import type { CallOptions, Celery, SettingsInput } from '@celery/app'
import type { AnyArgs } from '@celery/canvas'
import { type Clock, ManualClock } from '@celery/promises'
import type { AsyncResult } from '@celery/results'
import type { Publication, QueueInfo } from '@celery/transport'
import { Activity } from './activity.ts'
import { ClockNotMovableError } from './errors.ts'
import { Faults } from './faults.ts'
import type { SentMatch } from './match-sent.ts'
import { RunLog, type TaskRun } from './run-log.ts'
import { messageOf, type RunOptions, runTask, type SendableTask } from './run-task.ts'
import { SentLog, type TaskRef } from './sent-log.ts'
import { readSent, type SentTask } from './sent-task.ts'
import { TestBroker } from './test-broker.ts'
import { testStore } from './test-store.ts'
import { type IdleOptions, startTestWorker, type TestWorker, type TestWorkerOptions } from './test-worker.ts'
import { type UntilOptions, untilState } from './until-state.ts'

export interface IsolateOptions {
  /** Settings for the test, over all others. @defaultValue none */
  readonly settings?: SettingsInput
  /**
   * What says when calls are due, when they and their results expire, and how long tasks may run.
   * @defaultValue one that stands still at the time of now until `advance` moves it; `systemClock` goes on by itself
   */
  readonly clock?: Clock
}

export interface DrainOptions extends IdleOptions {
  /** @defaultValue all that were used */
  readonly queues?: readonly string[]
}

/**
 * An app under test: its broker and its store are in memory and belong to this test alone, whatever its settings name.
 * Close it when the test ends, by `await using` or in a hook: the app then is as it was before.
 */
export class TestApp implements AsyncDisposable {
  readonly app: Celery
  /** The app's time. `ManualClock` unless the test was given another one. */
  readonly clock: Clock
  /** Makes broker and store fail. */
  readonly faults: Faults
  readonly #activity = new Activity()
  readonly #broker: TestBroker
  readonly #sent: SentLog
  readonly #runLog: RunLog
  readonly #restore: AsyncDisposable
  readonly #ownTaskLog: Pick<Celery['taskLog'], 'level' | 'write'>
  readonly #workers = new Set<TestWorker>()
  /** Who takes the message of a task out of its way, by the id of the task. */
  readonly #diversions = new Map<string, (publication: Publication) => void>()

  constructor(app: Celery, { clock = new ManualClock(Date.now()), settings }: IsolateOptions) {
    this.app = app
    this.clock = clock
    this.faults = new Faults(() => this.#broker.cut())
    const activity = this.#activity
    const { faults } = this
    this.#broker = new TestBroker({
      clock,
      activity,
      faults,
      onSent: (publication) => this.#published(publication),
      divert: (publication) => this.#divert(publication),
    })
    this.#sent = new SentLog({ codecs: app, activity })
    this.#restore = app.substitute({
      transport: this.#broker,
      backend: testStore({ clock, activity, faults }),
      clock,
      settings: { ...testSettings, ...settings },
    })
    this.#runLog = new RunLog(app)
    const { level, write } = app.taskLog
    this.#ownTaskLog = { level, write }
  }

  /** All calls that reached the broker, first to last: also those that tasks made, retries, callbacks and next steps of chains. */
  get sent(): readonly SentTask[] {
    return this.#sent.all
  }

  /** What came of every run of a task, first to last. */
  get runs(): readonly TaskRun[] {
    return this.#runLog.runs
  }

  /** The calls of a task that fit. */
  allSent<Args extends AnyArgs, Kwargs>(
    task: TaskRef<Args, Kwargs>,
    match: SentMatch<NoInfer<Args>, NoInfer<Kwargs>> = {},
  ): readonly SentTask<Args>[] {
    return this.#sent.find(task, match)
  }

  /** The first call of a task that fits. @throws AssertionError where there is none, with what was sent instead */
  expectSent<Args extends AnyArgs, Kwargs>(
    task: TaskRef<Args, Kwargs>,
    match: SentMatch<NoInfer<Args>, NoInfer<Kwargs>> = {},
  ): SentTask<Args> {
    return this.#sent.expectSent(task, match, this.expectSent)
  }

  /** @throws AssertionError where a call of the task fits; without a task, where anything was sent */
  expectNotSent<Args extends AnyArgs, Kwargs>(
    task?: TaskRef<Args, Kwargs>,
    match: SentMatch<NoInfer<Args>, NoInfer<Kwargs>> = {},
  ): void {
    this.#sent.expectNotSent(task, match, this.expectNotSent)
  }

  /** As `expectSent`, for what is sent soon. @throws AssertionError after `timeoutMs`, by default 10,000 */
  untilSent<Args extends AnyArgs, Kwargs>(
    task: TaskRef<Args, Kwargs>,
    match: SentMatch<NoInfer<Args>, NoInfer<Kwargs>> = {},
    { timeoutMs = 10_000 }: UntilOptions = {},
  ): Promise<SentTask<Args>> {
    return this.#sent.untilSent(task, match, timeoutMs, this.untilSent)
  }

  /**
   * Runs one task here and now, without a queue, and gives what came of it. Everything else is as in a worker: the arguments
   * are encoded and decoded, handlers and signals are called, what follows is sent, the result is stored. It never rejects for
   * what the task does.
   */
  run<Args extends AnyArgs, Result, Kwargs>(
    task: SendableTask<Args, Result, Kwargs>,
    args: Args,
    options: RunOptions<NoInfer<Kwargs>> = {},
  ): Promise<TaskRun<Result>> {
    const { app } = this
    const divert = this.#whileDiverted
    return runTask({ app, broker: this.#broker, runLog: this.#runLog, divert }, task, args, options)
  }

  /** The message that a call would be, which goes to nobody: to hand it to what reads messages. */
  messageOf<Args extends AnyArgs, Kwargs>(
    task: SendableTask<Args, unknown, Kwargs>,
    args: Args,
    options: CallOptions & { readonly kwargs?: NoInfer<Kwargs> } = {},
  ): Promise<Publication> {
    return messageOf({ app: this.app, divert: this.#whileDiverted }, task, args, options)
  }

  /**
   * Runs everything that waits in the queues, one task after the other, and what these send, until nothing is left; resolves to
   * what came of it, in order. What is to start later stays, unless `delayed` says otherwise. Not while a worker runs.
   * @throws NotIdleError, EndlessTasksError
   */
  async drain({ queues, ...options }: DrainOptions = {}): Promise<readonly TaskRun[]> {
    const first = this.runs.length
    let names: readonly string[]
    do {
      names = queues ?? [...this.#broker.queues]
      if (names.length === 0) break
      await using worker = await this.startWorker({ pool: 'solo', queues: names })
      await worker.idle(options)
      // A task may have sent something to a queue that nobody has used before.
    } while (queues === undefined && names.length < this.#broker.queues.size)
    return this.runs.slice(first)
  }

  /** Starts a worker in this process; resolves when it takes messages. It is stopped with the test, if not before. */
  async startWorker(options: TestWorkerOptions = {}): Promise<TestWorker> {
    const worker = await startTestWorker(
      {
        app: this.app,
        broker: this.#broker,
        activity: this.#activity,
        runLog: this.#runLog,
        advance: (ms) => this.advance(ms),
        nowMs: () => this.clock.now(),
      },
      options,
    )
    this.#workers.add(worker)
    return worker
  }

  /** Moves time on by so many milliseconds: what becomes due on the way is delivered, limits and expiries are reached. */
  async advance(ms: number): Promise<void> {
    const clock: Clock & Partial<Pick<ManualClock, 'advanceAsync'>> = this.clock
    if (clock.advanceAsync === undefined) throw new ClockNotMovableError()
    await clock.advanceAsync(ms)
  }

  /** Resolves when the task has that state. @throws AssertionError after `timeoutMs`, by default 10,000 */
  untilState(result: AsyncResult | string, state: string, options: UntilOptions = {}): Promise<void> {
    return untilState(this.app, result, state, options)
  }

  /** How many messages are in a queue: ready, for later, or with a worker. */
  queue(name: string = this.app.conf.taskDefaultQueue): Promise<QueueInfo> {
    return this.#broker.queue(name)
  }

  /** @throws AssertionError where a message was left in a queue, ready or for later */
  async expectQueuesEmpty(): Promise<void> {
    const queues = await Promise.all([...this.#broker.queues].map((name) => this.#broker.queue(name)))
    const used = queues.filter(({ delayed, held, ready }) => delayed + held + ready > 0)
    if (used.length === 0) return
    const list = used.map(
      ({ delayed, held, name, ready }) => `"${name}": ${ready} ready, ${delayed} for later, ${held} held`,
    )
    throw new AssertionError({
      message: `the queues are not empty:\n  ${list.join('\n  ')}`,
      actual: used,
      expected: [],
      operator: 'expectQueuesEmpty',
      stackStartFn: this.expectQueuesEmpty,
    })
  }

  /** Stops the workers, closes what the app has opened, and brings back its own broker, store, settings and time. Safe twice. */
  async close(): Promise<void> {
    const workers = [...this.#workers]
    this.#workers.clear()
    const stopped = await Promise.allSettled(workers.map((worker) => worker.stop()))
    this.#runLog[Symbol.dispose]()
    // A worker has put its own log in the place.
    Object.assign(this.app.taskLog, this.#ownTaskLog)
    await this.#restore[Symbol.asyncDispose]()
    await this.#broker.close()
    for (const result of stopped) if (result.status === 'rejected') throw result.reason
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #published(publication: Publication): void {
    const sent = readSent(publication, this.app, this.clock.now())
    if (sent !== undefined) this.#sent.all.push(sent)
  }

  #divert(publication: Publication): boolean {
    if (this.#diversions.size === 0) return false
    const take = this.#diversions.get(readSent(publication, this.app, 0)?.id ?? '')
    take?.(publication)
    return take !== undefined
  }

  readonly #whileDiverted = (taskId: string, take: (publication: Publication) => void): (() => void) => {
    this.#diversions.set(taskId, take)
    return () => this.#diversions.delete(taskId)
  }
}

/** Broker and store are named too, for code that reads the settings to reach them by itself. */
const testSettings: SettingsInput = {
  brokerUrl: 'memory://',
  brokerReadUrl: 'memory://',
  brokerWriteUrl: 'memory://',
  resultBackend: 'memory://',
  // Celery's own way to test; here calls are to be seen, and are run by `drain`.
  taskAlwaysEager: false,
  // Time stands still, so that nobody's turn would come.
  workerDisableRateLimits: true,
}
