import { systemClock } from '@celery/promises'
import { type PoolKind, pools } from '../pools/pool-names.ts'
import { describeError, type WorkerContext } from '../worker-context.ts'
import type { HealthState } from './health-report.ts'
import { LastTitle } from './last-title.ts'
import type { HealthService } from './open-health.ts'
import { WorkerVitals } from './worker-vitals.ts'

/** Milliseconds after which a worker that is still starting answers all the same. */
const startMs = 5_000

/** Pools whose tasks run in processes or threads of their own, so that none of them blocks the main loop. */
const poolsElsewhere: readonly PoolKind[] = ['prefork', 'threads']

/** Answers for a worker how it is; what that needs is loaded when the worker has started, or where a port is wanted. */
export class WorkerHealth {
  readonly vitals: WorkerVitals
  readonly #worker: WorkerContext
  readonly #state: () => HealthState
  readonly #port: number | undefined
  #service: HealthService | undefined
  #started: Promise<void> | undefined
  #cancelStart: (() => void) | undefined

  constructor(worker: WorkerContext, state: () => HealthState) {
    const { app, options, poolName } = worker
    this.#worker = worker
    this.#state = state
    this.#port = options.healthPort ?? app.conf.workerHealthPort
    const kind = Object.hasOwn(pools, poolName) ? pools[poolName as keyof typeof pools] : 'custom'
    const lastTask = poolsElsewhere.includes(kind) ? undefined : new LastTitle()
    this.vitals = new WorkerVitals((task) => app.tasks.has(task), lastTask)
  }

  /**
   * Listens at once where a port is wanted; else when the worker has started, or in 5 s, so that it slows down no start.
   * @throws where the port cannot be had
   */
  async begin(): Promise<void> {
    this.vitals.beat.start()
    if (this.#port === undefined) {
      this.#cancelStart = systemClock.schedule(startMs, () => this.#startQuietly(), { unref: true })
      return
    }
    try {
      await this.#start()
    } catch (error) {
      this.vitals.beat.stop()
      throw error
    }
  }

  /** The worker has started. */
  workerStarted(): void {
    this.#startQuietly()
    void this.#service?.tell()
  }

  /** The worker begins to stop. */
  workerStopping(): void {
    void this.#service?.tell()
  }

  /** Safe twice and before `begin`. */
  async stop(): Promise<void> {
    this.#cancelStart?.()
    this.vitals.beat.stop()
    await this.#started?.catch(() => {})
    await this.#service?.stop()
  }

  #start(): Promise<void> {
    this.#cancelStart?.()
    this.#started ??= this.#open()
    return this.#started
  }

  /** A worker whose socket cannot be had does its work all the same. */
  #startQuietly(): void {
    if (this.#started !== undefined) return
    this.#start().catch((error: unknown) => this.#worker.logger.error(`health: ${describeError(error)}`))
  }

  async #open(): Promise<void> {
    const { openHealth } = await import('./open-health.ts')
    const port = this.#port
    this.#service = openHealth({ worker: this.#worker, vitals: this.vitals, state: this.#state, port })
    const { path, problem, url } = await this.#service.start()
    const { logger } = this.#worker
    if (url !== undefined) logger.info(`health: ${url}/live, /ready and /metrics`)
    if (problem !== undefined) logger.warning(`celery health does not find this worker: ${problem}`)
    if (path !== undefined) logger.debug(`health: ${path}`)
  }
}
