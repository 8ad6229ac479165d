import type { Celery } from '@celery/app'
import { withDeadline } from '@celery/promises'
import { createWorker, type Logger, type Worker } from '@celery/worker'
import type { Activity } from './activity.ts'
import { CallSite } from './call-site.ts'
import { NotIdleError } from './errors.ts'
import type { RunLog } from './run-log.ts'
import type { TestBroker } from './test-broker.ts'

export interface TestWorkerOptions {
  /** Tasks run at the same time. @defaultValue `1` */
  readonly concurrency?: number
  /** `solo` also fetches nothing while a task runs. @defaultValue `'async'` */
  readonly pool?: 'async' | 'solo'
  /** @defaultValue those that a worker of this app takes by itself */
  readonly queues?: readonly string[]
  /** Further modules with tasks, besides those of `imports` and `include`. @defaultValue none */
  readonly include?: readonly string[]
  /** @defaultValue one that keeps the lines for `log` */
  readonly logger?: Logger
  /** Milliseconds that running tasks have when it stops. @defaultValue `10_000` */
  readonly shutdownTimeoutMs?: number
}

export interface IdleOptions {
  /** Also runs what is to start later: moves time on to when it is due, again and again. @defaultValue `false` */
  readonly delayed?: boolean
  /** Runs after which it is an error that there is still more to do. @defaultValue `1_000` */
  readonly maxRuns?: number
  /** Milliseconds. @defaultValue `10_000` */
  readonly timeoutMs?: number
}

export interface TestWorkerParts {
  readonly app: Celery
  readonly broker: TestBroker
  readonly activity: Activity
  readonly runLog: RunLog
  /** Moves time on. */
  readonly advance: (ms: number) => Promise<void>
  readonly nowMs: () => number
}

/** Starts a worker; resolves when it takes messages. */
export async function startTestWorker(parts: TestWorkerParts, options: TestWorkerOptions): Promise<TestWorker> {
  const log: string[] = []
  const { concurrency = 1, include, logger = keepingLogger(log), pool = 'async', queues } = options
  const worker = createWorker(parts.app, {
    concurrency,
    logger,
    pool,
    ...(include === undefined ? undefined : { include }),
    ...(queues === undefined ? undefined : { queues }),
  })
  try {
    await worker.start()
  } catch (error) {
    await worker.stop()
    throw error
  }
  return new TestWorker(worker, log, parts, options.shutdownTimeoutMs ?? 10_000)
}

/** A worker in the process of the test. What it does is real: only broker and store are in memory. */
export class TestWorker implements AsyncDisposable {
  /** For all that it can say of itself. */
  readonly worker: Worker
  /** What it has logged, unless it was given a logger. */
  readonly log: readonly string[]
  readonly #parts: TestWorkerParts
  readonly #shutdownTimeoutMs: number

  constructor(worker: Worker, log: readonly string[], parts: TestWorkerParts, shutdownTimeoutMs: number) {
    this.worker = worker
    this.log = log
    this.#parts = parts
    this.#shutdownTimeoutMs = shutdownTimeoutMs
  }

  /**
   * Resolves when its queues are empty, no task runs, and everything that came of those that did is stored and sent. What
   * is to start later is left alone, unless `delayed` says otherwise.
   * @throws NotIdleError at the deadline; EndlessTasksError
   */
  async idle(options: IdleOptions = {}): Promise<void> {
    const { delayed = false, maxRuns = 1_000, timeoutMs = 10_000 } = options
    const { broker, runLog } = this.#parts
    const site = new CallSite(this.idle)
    const makeError = () => {
      const more = `; queues used: ${[...broker.queues].join(', ')}, this worker takes ${this.worker.queues.join(', ')}`
      return site.of(new NotIdleError('the worker was not done', timeoutMs, runLog.running, more))
    }
    using limit = runLog.limit(maxRuns)
    await withDeadline((signal) => this.#idle(delayed, signal), timeoutMs, makeError, { signal: limit.signal })
  }

  /**
   * Stops it: running tasks end, and what has not started goes back to its queue. Safe twice.
   * @throws NotIdleError where a task does not end; the worker is stopped all the same.
   */
  async stop(): Promise<void> {
    const timeoutMs = this.#shutdownTimeoutMs
    const { runLog } = this.#parts
    const site = new CallSite(this.stop)
    const makeError = () => site.of(new NotIdleError('the worker did not end', timeoutMs, runLog.running, ''))
    try {
      await withDeadline(this.worker.stop(), timeoutMs, makeError)
    } catch (error) {
      await this.worker.terminate()
      throw error
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #idle(delayed: boolean, signal: AbortSignal): Promise<void> {
    const { activity, advance, broker, nowMs } = this.#parts
    while (!signal.aborted) {
      const { next } = activity
      await this.worker.idle()
      const { processed } = this.worker
      const queues = await Promise.all(this.worker.queues.map((name) => broker.queue(name)))
      if (queues.some(({ held, ready }) => held + ready > 0)) {
        await next
        continue
      }
      // What is acknowledged early is in no queue: it may have begun while we looked.
      if (this.worker.active > 0 || this.worker.processed !== processed) continue
      const dueMs = queues.some((queue) => queue.delayed > 0) ? broker.nextDueMs : undefined
      if (!delayed || dueMs === undefined) return
      await advance(dueMs - nowMs())
    }
  }
}

function keepingLogger(lines: string[]): Logger {
  const write =
    (level: string) =>
    (message: string): void =>
      void lines.push(`${level}: ${message}`)
  return {
    debug: () => {},
    info: write('INFO'),
    warning: write('WARNING'),
    error: write('ERROR'),
    critical: write('CRITICAL'),
    isEnabled: (level) => level !== 'debug',
  }
}
