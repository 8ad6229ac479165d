import type { SoftLimit, TraceInput, TraceOutcome } from '@celery/app'
import { SoftTimeLimitExceededError } from '@celery/app'
import { deferred } from '@celery/promises'
import type { TaskJob, TaskPool } from './task-pool.ts'

export interface AsyncPoolOptions {
  readonly concurrency: number
  readonly trace: (input: TraceInput, limits: SoftLimit | undefined) => Promise<TraceOutcome>
}

/**
 * Runs tasks in this process, as Celery's gevent and eventlet pools do: right for tasks that wait for I/O. Nothing
 * here can stop code that does not yield: at its hard limit a task is reported as failed, and its slot stays taken
 * until the handler settles.
 */
export class AsyncPool implements TaskPool {
  readonly name = 'async'
  readonly concurrency: number
  readonly healthy = true
  readonly #trace: AsyncPoolOptions['trace']
  /** First in, first out; `#next` is the head, so that taking one does not move the others. */
  #waiting: TaskJob[] = []
  #next = 0
  #running = 0
  #idle = deferred()

  constructor(options: AsyncPoolOptions) {
    this.concurrency = options.concurrency
    this.#trace = options.trace
  }

  async start(): Promise<void> {}

  submit(job: TaskJob): void {
    if (this.#running < this.concurrency) void this.#run(job)
    else this.#waiting.push(job)
  }

  async recall(): Promise<void> {
    const waiting = this.#waiting.slice(this.#next)
    this.#waiting = []
    this.#next = 0
    for (const job of waiting) job.onDone({ type: 'recalled' })
  }

  async stop(): Promise<void> {
    while (this.#running > 0) {
      this.#idle = deferred()
      await this.#idle.promise
    }
  }

  async terminate(): Promise<void> {
    await this.recall()
  }

  info(): Readonly<Record<string, unknown>> {
    return { implementation: 'async', 'max-concurrency': this.concurrency, running: this.#running }
  }

  async #run(first: TaskJob): Promise<void> {
    this.#running++
    let job: TaskJob | undefined = first
    while (job !== undefined) {
      job.onStarted(process.pid)
      if (job.timeLimit === undefined && job.softTimeLimit === undefined) {
        job.onDone({ type: 'outcome', outcome: await this.#trace(job.input, undefined) })
      } else {
        await this.#runLimited(job)
      }
      job = this.#take()
    }
    this.#running--
    if (this.#running === 0) this.#idle.resolve()
  }

  async #runLimited(job: TaskJob): Promise<void> {
    const { timeLimit, softTimeLimit } = job
    const soft = new AbortController()
    let timedOut = false
    const softTimer =
      softTimeLimit === undefined
        ? undefined
        : setTimeout(() => soft.abort(new SoftTimeLimitExceededError(softTimeLimit)), softTimeLimit * 1_000)
    const hardTimer =
      timeLimit === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true
            job.onDone({ type: 'timeout', limit: timeLimit, stuck: true })
          }, timeLimit * 1_000)
    const outcome = await this.#trace(job.input, soft)
    clearTimeout(softTimer)
    clearTimeout(hardTimer)
    if (!timedOut) job.onDone({ type: 'outcome', outcome })
  }

  #take(): TaskJob | undefined {
    const job = this.#waiting[this.#next]
    if (job === undefined) return undefined
    this.#next++
    if (this.#next === this.#waiting.length) {
      this.#waiting = []
      this.#next = 0
    }
    return job
  }
}
