import { availableParallelism } from 'node:os'
import { type Celery, importModules } from '@celery/app'
import type { ResultBackend } from '@celery/backend'
import { Blueprint, type Step } from '@celery/bootsteps'
import { type Connection, Consumer, Settler } from '@celery/messaging'
import type { BrokerConnection, Settlement } from '@celery/transport'
import { TaskDispatcher } from './dispatcher.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { consoleLogger, type Logger } from './logger.ts'
import { nodeName } from './node-name.ts'
import { OutcomeSettler } from './outcome-settler.ts'
import { createPool } from './pools/create-pool.ts'
import type { TaskPool } from './pools/task-pool.ts'
import { PrefetchWindow } from './prefetch-window.ts'
import { ResultStorer } from './result-storer.ts'
import type { WorkerOptions } from './worker-options.ts'

/** Makes a worker for `app`; `start()` starts it. */
export function createWorker(app: Celery, options: WorkerOptions = {}): Worker {
  return new Worker(app, options)
}

/** Makes a worker and starts it; resolves when it consumes. */
export async function startWorker(app: Celery, options: WorkerOptions = {}): Promise<Worker> {
  const worker = new Worker(app, options)
  await worker.start()
  return worker
}

/**
 * Takes tasks from queues and runs them in a pool.
 *
 * Parts start in this order and stop in reverse: broker, results, leases, pool, tasks. So a warm stop first takes no
 * further message, gives back what has not started, lets running tasks end, settles everything, and then lets go.
 */
export class Worker implements AsyncDisposable {
  readonly app: Celery
  /** Node name. */
  readonly hostname: string
  readonly queues: readonly string[]
  readonly concurrency: number
  readonly poolName: string
  readonly logger: Logger
  readonly #options: WorkerOptions
  readonly #blueprint: Blueprint<Worker>
  #connection: Connection | undefined
  #broker: BrokerConnection | undefined
  #keeper: LeaseKeeper | undefined
  #pool: TaskPool | undefined
  #dispatcher: TaskDispatcher | undefined
  #consumer: Consumer | undefined
  #settler: Settler | undefined
  #storer: ResultStorer | undefined
  #backend: ResultBackend | undefined
  #renewTimer: NodeJS.Timeout | undefined
  #overfullTimer: NodeJS.Timeout | undefined
  #cold = false

  constructor(app: Celery, options: WorkerOptions = {}) {
    const { conf } = app
    this.app = app
    this.#options = options
    this.hostname = nodeName(options.hostname)
    this.queues = options.queues ?? [conf.taskDefaultQueue]
    this.concurrency = options.concurrency ?? conf.workerConcurrency ?? availableParallelism()
    this.poolName = options.pool ?? (options.appModule === undefined ? 'async' : conf.workerPool)
    this.logger =
      options.logger ?? consoleLogger({ ...(options.logLevel === undefined ? {} : { level: options.logLevel }) })
    this.#blueprint = new Blueprint<Worker>({
      name: 'worker',
      parent: this,
      onStopError: (error) => this.logger.error(error.message),
      steps: [this.#brokerStep(), this.#resultStep(), this.#leaseStep(), this.#poolStep(), this.#taskStep()],
    })
  }

  /** Resolves when the worker has ended; rejects if something ended it. */
  get closed(): Promise<void> {
    return this.#blueprint.closed
  }

  /** Where messages come from, with the password masked. */
  get brokerAddress(): string {
    return this.app.brokerAddress
  }

  /** Where results go, with the password masked; `undefined` where they are not kept. */
  get backendAddress(): string | undefined {
    return this.app.backendAddress
  }

  /** Tasks that ended here. */
  get processed(): number {
    return this.#dispatcher?.processed ?? 0
  }

  /** Tasks received and not ended. */
  get active(): number {
    return this.#dispatcher?.active.size ?? 0
  }

  /** What the pool says of itself: its processes, for example. */
  get poolInfo(): Readonly<Record<string, unknown>> {
    return this.#pool?.info() ?? {}
  }

  /** Resolves when it consumes from its queues and its pool can run tasks. */
  async start(): Promise<void> {
    await importModules([...this.app.conf.imports, ...this.app.conf.include, ...(this.#options.include ?? [])])
    this.app.finalize()
    await this.#blueprint.start()
    this.logger.info(`${this.hostname} ready.`)
  }

  /** Warm shutdown: takes no further message, lets running tasks end, gives the rest back. Safe twice and before `start`. */
  async stop(): Promise<void> {
    await this.#blueprint.stop()
  }

  /** Cold shutdown: kills running tasks. Those acknowledged late go back to their queues, the others fail. */
  async terminate(): Promise<void> {
    this.#cold = true
    await this.#pool?.terminate()
    await this.#blueprint.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #brokerStep(): Step<Worker> {
    return {
      name: 'broker',
      start: async (_worker, { signal }) => {
        this.#connection = this.app.connectionForRead({
          onError: (error, { retryInMs }) => {
            const next = retryInMs === undefined ? '' : `; trying again in ${(retryInMs / 1_000).toFixed(1)} s`
            this.logger.error(`consumer: cannot use the broker: ${message(error)}${next}`)
          },
        })
        this.#broker = await this.#connection.untilBroker({ signal })
        this.#settler = new Settler({
          connection: this.#connection,
          onError: (error) => this.logger.error(`cannot settle with the broker, trying again: ${message(error)}`),
          onRefused: (settlement, error) => this.#refused(settlement, error),
        })
      },
      stop: async () => {
        const left = (await this.#settler?.close(this.#grace)) ?? 0
        if (left > 0) {
          this.logger.error(`${left} settlements could not be told to the broker; those messages are delivered again`)
        }
        await this.#connection?.close()
      },
    }
  }

  #resultStep(): Step<Worker> {
    return {
      name: 'results',
      requires: ['broker'],
      start: async () => {
        this.#backend = await this.app.backendIfConfigured()
        if (this.#backend === undefined) return
        this.#storer = new ResultStorer({
          backend: this.#backend,
          onError: (error) => this.logger.error(`cannot store results, trying again: ${message(error)}`),
          onRefused: (write, error) =>
            this.logger.critical(`the result of task ${write.taskId} cannot be stored: ${message(error)}`),
        })
      },
      stop: async () => {
        // A stored result can still bring a settlement with it.
        await this.#storer?.close(this.#grace)
      },
    }
  }

  #leaseStep(): Step<Worker> {
    return {
      name: 'leases',
      requires: ['broker'],
      start: () => this.#keepLeases(),
      stop: async () => {
        clearInterval(this.#renewTimer)
        await this.#keeper?.stop()
      },
    }
  }

  #poolStep(): Step<Worker> {
    return {
      name: 'pool',
      requires: ['results', 'leases'],
      start: async () => {
        this.#pool = createPool(this, this.#options)
        await this.#pool.start()
      },
      stop: async () => {
        if (this.#cold) await this.#pool?.terminate()
        else await this.#pool?.stop()
        await this.#settler?.idle()
      },
      terminate: () => this.#pool?.terminate(),
    }
  }

  #taskStep(): Step<Worker> {
    return {
      name: 'tasks',
      requires: ['pool'],
      last: true,
      start: async () => {
        const pool = this.#pool as TaskPool
        const connection = this.#connection as Connection
        this.#dispatcher = new TaskDispatcher({
          app: this.app,
          hostname: this.hostname,
          pool,
          logger: this.logger,
          settler: new OutcomeSettler({
            settler: this.#settler as Settler,
            backend: this.#backend,
            storer: this.#storer,
            domain: this.#broker?.domain,
          }),
          keeper: () => this.#keeper,
          window: this.#prefetchWindow(),
          timeLimit: this.#options.timeLimit,
          softTimeLimit: this.#options.softTimeLimit,
          canPark: this.#broker?.capabilities.delay ?? false,
          onRoom: () => this.#consumer?.wake(),
        })
        this.#consumer = new Consumer({
          connection,
          queues: this.queues.map((name) => ({ name, durable: true })),
          capacity: () => this.#dispatcher?.room ?? 0,
          onMessages: (messages) => this.#dispatcher?.receive(messages),
          onError: (error) => this.logger.error(`consumer: ${message(error)}`),
          onConsuming: (broker) => this.#consuming(broker),
        })
        await this.#consumer.start()
        this.#overfullTimer = setInterval(() => {
          if (this.#dispatcher?.isOverfull === true) void pool.recall()
        }, 250)
      },
      stop: async () => {
        clearInterval(this.#overfullTimer)
        await this.#consumer?.stop()
        await this.#pool?.recall()
      },
    }
  }

  /** After a reconnect the deliveries, and so their leases, belong to another connection. */
  #consuming(broker: BrokerConnection): void {
    if (broker === this.#broker) return
    this.#broker = broker
    this.logger.warning(`consuming again from ${this.brokerAddress}`)
    const old = this.#keeper
    void Promise.resolve(old?.stop())
      .then(() => this.#keepLeases())
      .catch((error: unknown) => this.logger.error(`lease keeper: ${message(error)}`))
  }

  async #keepLeases(): Promise<void> {
    const broker = this.#broker
    clearInterval(this.#renewTimer)
    if (broker === undefined || !broker.capabilities.leases) return
    const spec = broker.leaseKeeper
    if (spec === undefined) {
      // A broker that no other thread can reach, such as the one in memory: its leases are kept from here.
      const everyMs = this.app.conf.leaseMs / 3
      this.#renewTimer = setInterval(() => this.#renew(broker), everyMs)
      return
    }
    this.#keeper = new LeaseKeeper({ spec, onError: (error) => this.logger.error(error.message) })
    await this.#keeper.start()
  }

  /** What cannot be settled as it should must not stay held for ever: its message is set aside. */
  #refused({ delivery, action }: Settlement, error: unknown): void {
    this.logger.critical(`the broker refuses to settle message ${delivery?.tag ?? '(none)'}: ${message(error)}`)
    if (delivery === undefined || action?.type === 'dead') return
    this.#settler?.add({ delivery, action: { type: 'dead', reason: message(error) } })
  }

  #prefetchWindow(): PrefetchWindow {
    const { conf } = this.app
    const { concurrency } = this
    // Only what is free to run: each message is either running or in the queue.
    if (conf.reliability === 'safe') return new PrefetchWindow({ base: concurrency, concurrency, aheadMs: 0 })
    const multiplier = this.#options.prefetchMultiplier ?? conf.workerPrefetchMultiplier
    const base = multiplier === 0 ? Number.MAX_SAFE_INTEGER : Math.max(1, Math.ceil(multiplier * concurrency))
    return new PrefetchWindow({ base, concurrency, aheadMs: conf.prefetchAheadMs })
  }

  #renew(broker: BrokerConnection): void {
    const held = [...(this.#dispatcher?.active ?? [])].map(({ delivery }) => delivery)
    if (held.length === 0) return
    broker.renew(held).catch((error: unknown) => this.logger.error(`cannot renew leases: ${message(error)}`))
  }

  get #grace(): number {
    return this.#cold ? 0 : (this.#options.settleGraceMs ?? 5_000)
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
