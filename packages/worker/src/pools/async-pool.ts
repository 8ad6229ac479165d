import { SoftTimeLimitExceededError } from '@celery/app'
import type { SoftLimit, TraceInput, TraceOutcome } from '@celery/app/internal'
import { type Clock, type Deferred, deferred, systemClock } from '@celery/promises'
import type { JobResult, TaskJob, TaskPool } from './task-pool.ts'

export interface AsyncPoolOptions {
  /** `solo` runs one task at a time, and nothing is fetched meanwhile. @defaultValue `'async'` */
  readonly name?: 'async' | 'solo'
  readonly concurrency: number
  /** Whose time the limits are. @defaultValue `systemClock` */
  readonly clock?: Clock
  /** A slot that was given up as stuck is free again. */
  readonly onReady?: () => void
  readonly trace: (input: TraceInput, limits: SoftLimit | undefined) => TraceOutcome | Promise<TraceOutcome>
}

const lost = { type: 'lost', reason: 'it was told to end at once', ranBy: 'the worker that ran the task' } as const

/** Milliseconds for which tasks that never wait may hold the event loop. */
const turnMs = 10
/** Places of tasks that were taken, before the others move up. */
const mostTaken = 1_024

/**
 * Runs tasks in this process, as Celery's gevent and eventlet pools do: right for tasks that wait for I/O. Nothing
 * here can stop code that does not yield: at its hard limit a task is reported as failed, and its slot stays taken
 * until the handler settles. A pool without any other slot is not healthy.
 */
export class AsyncPool implements TaskPool {
  readonly name: 'async' | 'solo'
  readonly concurrency: number
  readonly forwardsEnvelopes = false
  readonly runsInWorker = true
  readonly #trace: AsyncPoolOptions['trace']
  readonly #clock: Clock
  readonly #onReady: (() => void) | undefined
  /** First in, first out; `#next` is the head, so that taking one does not move the others. What was taken is not kept. */
  #waiting: (TaskJob | undefined)[] = []
  #next = 0
  #running = 0
  /** Tasks that wait for something and have not been reported yet. */
  readonly #pending = new Set<TaskJob>()
  /** Tasks that ran over their hard limit and have not settled. */
  readonly #stuck = new Set<TaskJob>()
  #idle: Deferred<void> | undefined
  #yielding = false
  /** On the monotonic clock; until then tasks may be started without going back to the event loop. */
  #turnEndsAt = 0

  constructor(options: AsyncPoolOptions) {
    this.name = options.name ?? 'async'
    this.concurrency = this.name === 'solo' ? 1 : options.concurrency
    this.#trace = options.trace
    this.#clock = options.clock ?? systemClock
    this.#onReady = options.onReady
  }

  get healthy(): boolean {
    return this.#stuck.size < this.concurrency
  }

  get stuck(): number {
    return this.#stuck.size
  }

  get isBlocking(): boolean | undefined {
    return this.name === 'solo' ? this.#running > 0 : undefined
  }

  async start(): Promise<void> {}

  submit(job: TaskJob): void {
    this.#waiting.push(job)
    this.#fill()
  }

  async recall(): Promise<void> {
    const waiting = this.#waiting.slice(this.#next)
    this.#waiting = []
    this.#next = 0
    for (const job of waiting) job?.onDone({ type: 'recalled' })
  }

  /** Does not wait for tasks that are stuck: they were reported as failed at their hard limit. */
  async stop(): Promise<void> {
    await this.recall()
    if (this.#pending.size === 0) return
    this.#idle ??= deferred()
    await this.#idle.promise
  }

  /** The handlers run on, but nobody waits for what comes of them. */
  async terminate(): Promise<void> {
    await this.recall()
    for (const job of this.#pending) this.#report(job, lost)
  }

  info(): Readonly<Record<string, unknown>> {
    return {
      implementation: this.name,
      'max-concurrency': this.concurrency,
      running: this.#running,
      stuck: this.stuck,
    }
  }

  /** Starts what waits while there are slots, and lets the event loop breathe where tasks never wait for anything. */
  #fill(): void {
    while (this.#running < this.concurrency && !this.#yielding) {
      const job = this.#take()
      if (job === undefined) return
      this.#start(job)
      if (performance.now() < this.#turnEndsAt) continue
      this.#yielding = true
      setImmediate(() => {
        this.#yielding = false
        this.#turnEndsAt = performance.now() + turnMs
        this.#fill()
      })
    }
  }

  #start(job: TaskJob): void {
    this.#running++
    job.onStarted(process.pid)
    const unlimited = job.timeLimit === undefined && job.softTimeLimit === undefined
    let outcome: TraceOutcome | Promise<TraceOutcome>
    try {
      outcome = unlimited ? this.#trace(job.readInput(), undefined) : this.#limited(job)
    } catch (error) {
      outcome = Promise.reject(error)
    }
    if (outcome instanceof Promise) {
      this.#pending.add(job)
      void outcome.then(
        (later) => this.#settled(job, { type: 'outcome', outcome: later }),
        // The tracer turns everything that a task throws into an outcome: this is an error of ours.
        (error: unknown) => this.#settled(job, { type: 'untold', reason: `its tracer failed: ${String(error)}` }),
      )
    } else {
      this.#running--
      job.onDone({ type: 'outcome', outcome })
    }
  }

  #settled(job: TaskJob, result: JobResult): void {
    this.#running--
    const wasStuck = this.#stuck.delete(job)
    this.#report(job, result)
    this.#fill()
    if (wasStuck) this.#onReady?.()
  }

  /** Only the first report of a task counts. */
  #report(job: TaskJob, result: JobResult): void {
    if (!this.#pending.delete(job)) return
    job.onDone(result)
    if (this.#pending.size > 0) return
    this.#idle?.resolve()
    this.#idle = undefined
  }

  async #limited(job: TaskJob): Promise<TraceOutcome> {
    const { timeLimit, softTimeLimit } = job
    const soft = new AbortController()
    // A limit may be longer than a timer of Node's can be.
    const timers = [
      softTimeLimit !== undefined &&
        this.#clock.schedule(softTimeLimit * 1_000, () => {
          soft.abort(new SoftTimeLimitExceededError(softTimeLimit))
          job.onSoftTimeout()
        }),
      timeLimit !== undefined &&
        this.#clock.schedule(timeLimit * 1_000, () => {
          this.#stuck.add(job)
          this.#report(job, { type: 'timeout', limit: timeLimit, stuck: true })
        }),
    ]
    try {
      return await this.#trace(job.readInput(), soft)
    } finally {
      for (const cancel of timers) if (cancel !== false) cancel()
    }
  }

  #take(): TaskJob | undefined {
    const job = this.#waiting[this.#next]
    if (job === undefined) return undefined
    this.#waiting[this.#next] = undefined
    this.#next++
    // Under load it is never empty.
    if (this.#next === this.#waiting.length || this.#next >= mostTaken) {
      this.#waiting.splice(0, this.#next)
      this.#next = 0
    }
    return job
  }
}
