import { type Clock, sleep, systemClock, withDeadline } from '@celery/promises'
import { describeError, type WorkerContext } from '../worker-context.ts'
import type { HealthSource } from './health-answer.ts'
import type { HealthReason, HealthReport, HealthState } from './health-report.ts'
import { whyUnhealthy } from './why-unhealthy.ts'
import { workerMetrics } from './worker-metrics.ts'
import type { WorkerVitals } from './worker-vitals.ts'

/** Milliseconds that a broker gets to answer, also when it is asked twice. */
const answerTimeoutMs = 5_000

/** Milliseconds for which a broker that was heard of is believed to be there. */
const believedMs = 2_000

/** Milliseconds without a message after which those that wait are looked for. */
const stalledMs = 10_000

/** Milliseconds in which a message that waits may just be on its way here. */
const onItsWayMs = 1_000

export interface HealthMonitorOptions {
  readonly worker: WorkerContext
  readonly vitals: WorkerVitals
  readonly state: () => HealthState
  /** In whose time the broker has to answer. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

/** Says how a worker is, from its own process. What only others can see, a main loop that is blocked, they add. */
export class HealthMonitor implements HealthSource {
  readonly #options: HealthMonitorOptions
  readonly #clock: Clock
  #brokerCheck: { readonly endsAt: number; readonly problem: Promise<HealthReason | undefined> } | undefined

  constructor(options: HealthMonitorOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** Whoever can ask this is answered by the main loop itself. */
  async notLive(): Promise<undefined> {}

  /** Asks the broker, unless it was heard of just now; takes 5 s at most, and never rejects. */
  async report(): Promise<HealthReport> {
    const reasons = await this.#reasons()
    const { state, vitals, worker } = this.#options
    const { consuming } = vitals
    const { takenAt } = consuming
    const { concurrency, dispatcher, hostname, pool, poolName, queues } = worker
    return {
      node: hostname,
      pid: process.pid,
      state: state(),
      ready: reasons.length === 0,
      live: true,
      reasons,
      startedAt: new Date(vitals.startedAt).toISOString(),
      broker: {
        address: worker.app.brokerAddress,
        connected: worker.connection?.live !== undefined,
        losses: consuming.losses,
      },
      pool: { name: poolName, size: concurrency, healthy: pool?.healthy ?? false, stuck: pool?.stuck ?? 0 },
      queues: queues.map(({ name }) => name),
      active: dispatcher?.active.size ?? 0,
      processed: dispatcher?.processed ?? 0,
      consumedAt: takenAt === undefined ? null : new Date(Date.now() - (vitals.now() - takenAt)).toISOString(),
    }
  }

  /** In the text format of Prometheus. */
  async metrics(): Promise<string> {
    const { vitals, worker } = this.#options
    return workerMetrics(worker, vitals, await this.report())
  }

  async #reasons(): Promise<readonly HealthReason[]> {
    const { vitals, worker } = this.#options
    const state = this.#options.state()
    if (state === 'stopping') return [{ code: 'stopping', message: 'it is stopping' }]
    if (state === 'starting') {
      const trouble = vitals.waitsFor ?? vitals.consuming.trouble
      return [{ code: 'starting', message: trouble === undefined ? 'it is starting' : `it is starting; ${trouble}` }]
    }
    const problem = vitals.consuming.problem()
    const { dispatcher, outcomes, pool } = worker
    const reasons: HealthReason[] = []
    if (problem !== undefined) reasons.push({ code: 'broker', message: problem })
    if (pool?.healthy === false) reasons.push({ code: 'pool', message: whyUnhealthy(pool) })
    const storeTrouble = outcomes?.storeTrouble
    if (storeTrouble !== undefined && dispatcher?.awaitsStore === true) {
      reasons.push({ code: 'results', message: `nothing is taken until results can be stored: ${storeTrouble}` })
    }
    if (reasons.length > 0) return reasons
    const found = await this.#askBroker()
    return found === undefined ? [] : [found]
  }

  /** One question at a time, and one for all who ask in the next two seconds. */
  #askBroker(): Promise<HealthReason | undefined> {
    const now = this.#options.vitals.now()
    if (this.#brokerCheck === undefined || now >= this.#brokerCheck.endsAt) {
      this.#brokerCheck = { endsAt: now + answerTimeoutMs, problem: this.#findBrokerProblem() }
      const check = this.#brokerCheck
      void check.problem.then(() => {
        if (this.#brokerCheck === check)
          this.#brokerCheck = { ...check, endsAt: this.#options.vitals.now() + believedMs }
      })
    }
    return this.#brokerCheck.problem
  }

  async #findBrokerProblem(): Promise<HealthReason | undefined> {
    const { batches, idleMs } = this.#options.vitals.consuming
    if (idleMs < believedMs && batches > 0) return undefined
    let answers = 0
    const tooLate = (): Error => {
      const what = answers === 0 ? 'has not answered' : 'has not answered twice'
      return new Error(`the broker ${what} for ${answerTimeoutMs / 1_000} s`)
    }
    const look = async (signal: AbortSignal): Promise<HealthReason | undefined> => {
      if ((await this.#waiting(signal)) === 0) return undefined
      answers++
      // What waits now may be what comes next.
      await sleep(onItsWayMs, { signal, clock: this.#clock })
      return this.#stalled(await this.#waiting(signal), batches)
    }
    try {
      return await withDeadline(look, answerTimeoutMs, tooLate, { clock: this.#clock })
    } catch (error) {
      return { code: 'broker', message: describeError(error) }
    }
  }

  #stalled(left: number, batchesBefore: number): HealthReason | undefined {
    const { batches, idleMs } = this.#options.vitals.consuming
    if (left === 0 || batches !== batchesBefore) return undefined
    const seconds = Math.round(idleMs / 1_000)
    const what = left === 1 ? '1 message waits' : `${left} messages wait`
    return { code: 'stalled', message: `${what}, there is room, and none was taken for ${seconds} s` }
  }

  /** Asks for all queues; counts messages that should have been taken long ago. @throws where the broker does not answer */
  async #waiting(signal: AbortSignal): Promise<number> {
    const { vitals, worker } = this.#options
    const { broker, dispatcher, queues } = worker
    if (broker === undefined || dispatcher === undefined) return 0
    const answers = await Promise.all(queues.map(({ declaration }) => broker.declareQueue(declaration, { signal })))
    const { consuming } = vitals
    if (consuming.idleMs < stalledMs || dispatcher.room <= 0) return 0
    return answers.reduce((sum, { ready }) => sum + ready, 0)
  }
}
