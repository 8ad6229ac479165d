import { availableParallelism } from 'node:os'
import { type Celery, type Configuration, ImproperlyConfiguredError } from '@celery/app'
import { Blueprint, type BlueprintState, type StepFailedError } from '@celery/bootsteps'
import type { Queue } from '@celery/messaging'
import { poolChildKind } from '@celery/process-pool/child-kind'
import { CeleryError, systemClock } from '@celery/promises'
import { checkLimits, checkWorkerOptions } from './check-options.ts'
import type { HealthState } from './health/health-report.ts'
import { consoleLogger, type Logger, type LogLevel } from './logger.ts'
import { nodeName } from './node-name.ts'
import { RepeatedMessages } from './repeated-messages.ts'
import { brokerStep } from './steps/broker-step.ts'
import { healthStep } from './steps/health-step.ts'
import { leaseStep } from './steps/lease-step.ts'
import { poolStep } from './steps/pool-step.ts'
import { settleStep } from './steps/settle-step.ts'
import { signalStep } from './steps/signal-step.ts'
import { taskStep } from './steps/task-step.ts'
import { routeTaskLog } from './task-log.ts'
import type { WorkerContext } from './worker-context.ts'
import type { WorkerOptions } from './worker-options.ts'
import { workerQueues } from './worker-queues.ts'

function defaultLogger(conf: Configuration, level: LogLevel | undefined): Logger {
  const { workerLogColor, workerLogFormat, workerTaskLogFormat } = conf
  return consoleLogger({
    ...(workerTaskLogFormat === undefined ? {} : { taskFormat: workerTaskLogFormat }),
    ...(workerLogFormat === undefined ? {} : { format: workerLogFormat }),
    ...(level === undefined ? {} : { level }),
    ...(workerLogColor === undefined ? {} : { colour: workerLogColor }),
  })
}

/** Makes a worker for `app`; its `start()` starts it. */
export function createWorker(app: Celery, options: WorkerOptions = {}): Worker {
  assertNotInPool()
  return new Worker(app, options)
}

/** Makes a worker and starts it; resolves when it consumes. */
export async function startWorker(app: Celery, options: WorkerOptions = {}): Promise<Worker> {
  const worker = createWorker(app, options)
  await worker.start()
  return worker
}

/**
 * Takes tasks from queues and runs them in a pool.
 *
 * Its parts start in this order and stop in reverse: broker, leases, settling, pool, tasks. So a warm stop first takes
 * no further message and gives back what has not started, then lets running tasks end, then settles everything, and
 * only then lets go of the leases and the broker.
 */
export class Worker implements AsyncDisposable {
  /** Resolves when the worker has ended; rejects if something ended it. */
  readonly closed: Promise<void>
  readonly #context: WorkerContext
  readonly #blueprint: Blueprint<WorkerContext>
  #loaded: Promise<void> | undefined

  constructor(app: Celery, options: WorkerOptions = {}) {
    checkWorkerOptions(options)
    const { conf } = app
    if (options.settings !== undefined) conf.update(options.settings)
    checkLimits(options, conf)
    const poolName = options.pool ?? (options.appModule === undefined ? 'async' : conf.workerPool)
    const hostname = nodeName(options.hostname)
    this.#context = {
      app,
      options,
      hostname,
      queues: workerQueues(app, options, hostname),
      concurrency: poolName === 'solo' ? 1 : (options.concurrency ?? conf.workerConcurrency) || availableParallelism(),
      poolName,
      logger: options.logger ?? defaultLogger(conf, options.logLevel),
      repeated: new RepeatedMessages(),
      cold: false,
      state: () => healthState(this.#blueprint.state),
    }
    this.#blueprint = new Blueprint<WorkerContext>({
      name: 'worker',
      parent: this.#context,
      onStopError: (error) => this.#context.logger.error(error.message),
      steps: [signalStep, healthStep, brokerStep, leaseStep, settleStep, poolStep, taskStep()],
    })
    this.closed = this.#blueprint.closed.catch(throwOwn)
    // Who wants to know asks; nobody has to.
    this.closed.catch(() => {})
  }

  get app(): Celery {
    return this.#context.app
  }

  /** Node name. */
  get hostname(): string {
    return this.#context.hostname
  }

  /** Names of the queues that it consumes from. */
  get queues(): readonly string[] {
    return this.#context.queues.map(({ name }) => name)
  }

  /** The same with what is known of them. */
  get consumed(): readonly Queue[] {
    return this.#context.queues
  }

  /** Tasks run at the same time. */
  get concurrency(): number {
    return this.#context.concurrency
  }

  get poolName(): string {
    return this.#context.poolName
  }

  get logger(): Logger {
    return this.#context.logger
  }

  /** Tasks that ended here. */
  get processed(): number {
    return this.#context.dispatcher?.processed ?? 0
  }

  /** Tasks received and not ended. */
  get active(): number {
    return this.#context.dispatcher?.active.size ?? 0
  }

  /**
   * Resolves when no task runs here and what came of those that did is stored and settled. What lies in the queues is
   * another matter: it may be taken the next moment.
   */
  async idle(): Promise<void> {
    const { dispatcher, outcomes } = this.#context
    while (this.active > 0 || (outcomes?.pending ?? 0) > 0) {
      await dispatcher?.idle()
      await outcomes?.idle()
    }
  }

  /** Whether it was told to end running tasks instead of waiting for them. */
  get isCold(): boolean {
    return this.#context.cold
  }

  /** What the pool says of itself: its processes, for example. */
  get poolInfo(): Readonly<Record<string, unknown>> {
    return this.#context.pool?.info() ?? {}
  }

  /** Imports the modules with tasks, which `start` does too, so that all tasks are known before anything is opened. */
  load(): Promise<void> {
    this.#loaded ??= this.#load()
    return this.#loaded
  }

  /** Resolves when it consumes from its queues and its pool can run tasks. */
  async start(): Promise<void> {
    const { app, hostname, logger } = this.#context
    await this.load()
    routeTaskLog(app.taskLog, logger)
    await this.#blueprint.start().catch(throwOwn)
    logger.info(`${hostname} ready.`)
    this.#context.health?.workerStarted()
    await app.signals.workerReady.send({ sender: hostname })
  }

  /**
   * Warm shutdown: takes no further message, lets running tasks end, gives the rest back. Safe twice and before `start`.
   *
   * @param options.timeout seconds after which {@link terminate} follows, as in Celery's soft shutdown. Default: never.
   */
  async stop(options: { readonly timeout?: number } = {}): Promise<void> {
    const { timeout } = options
    const cancel = timeout === undefined ? () => {} : systemClock.schedule(timeout * 1_000, () => this.#endSoftly())
    try {
      const stopping = this.#blueprint.stop()
      this.#context.health?.workerStopping()
      await stopping
    } finally {
      cancel()
    }
  }

  /**
   * Cold shutdown, also in the middle of a warm one: ends running tasks at once. Those acknowledged late go back to their
   * queues, the others fail.
   */
  async terminate(): Promise<void> {
    this.#context.cold = true
    const stopping = this.#blueprint.terminate()
    this.#context.health?.workerStopping()
    await stopping
  }

  async #load(): Promise<void> {
    const { app, options } = this.#context
    await app.loadModules(options.include)
    app.finalize()
    await app.codecs.load()
  }

  #endSoftly(): void {
    this.#context.logger.warning('the time of the soft shutdown is over; ending what still runs')
    // What goes wrong is told by `closed` and by `stop`, which both still wait.
    void this.terminate().catch(() => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

function healthState(state: BlueprintState): HealthState {
  if (state === 'initial' || state === 'starting') return 'starting'
  return state === 'running' ? 'running' : 'stopping'
}

/** What keeps a worker from starting is told as it is: which of its parts found it says nothing to whoever starts one. */
function throwOwn(error: unknown): never {
  const { cause, phase, stopErrors } = error as Partial<StepFailedError>
  throw phase === 'start' && stopErrors?.length === 0 && CeleryError.is(cause) ? cause : error
}

/** A module that starts a worker, named as the one that creates the app, would start one in each of its pool processes. */
function assertNotInPool(): void {
  if (poolChildKind() === undefined) return
  throw new ImproperlyConfiguredError(
    'appModule',
    'a pool process cannot start a worker: name a module that only creates the app and its tasks, and start the worker in another one',
  )
}
