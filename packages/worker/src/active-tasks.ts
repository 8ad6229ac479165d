import type { Celery } from '@celery/app'
import type { TraceInput } from '@celery/app/internal'
import type { ReceivedDelivery } from '@celery/messaging'
import { CeleryError, type Deferred, deferred } from '@celery/promises'
import type { WireMessage } from '@celery/protocol'
import type { SettleAction, SettleResult } from '@celery/transport'
import type { ActiveTask, ActiveTaskOwner } from './active-task.ts'
import type { BrokerLeases } from './broker-leases.ts'
import type { CompletedTasks } from './completed-tasks.ts'
import type { WorkerVitals } from './health/worker-vitals.ts'
import type { Logger } from './logger.ts'
import type { OutcomeSettler, TaskEnd } from './outcome-settler.ts'
import type { JobResult, TaskPool } from './pools/task-pool.ts'
import type { PrefetchWindow } from './prefetch-window.ts'
import type { Refusals } from './refusals.ts'
import { TaskEndings } from './task-endings.ts'
import { type MessageOrigin, readTraceInput } from './trace-input.ts'
import type { UnknownTasks } from './unknown-tasks.ts'

export interface ActiveTasksOptions {
  readonly app: Celery
  readonly pool: TaskPool
  readonly settler: OutcomeSettler
  readonly leases: BrokerLeases
  readonly logger: Logger
  readonly window: PrefetchWindow
  readonly completed: CompletedTasks | undefined
  readonly refusals: Refusals
  readonly unknownTasks: UnknownTasks
  /** Whether the worker is ending its running tasks on purpose. */
  readonly isCold: () => boolean
  /** Whether the broker can hold a message back until its time. */
  readonly canPark: boolean
  /** A slot is free and nothing waits for it. */
  readonly onRoom: () => void
  /** Where things are counted, if anyone may ask. */
  readonly vitals?: WorkerVitals | undefined
  /** Says what is to become of a message. */
  readonly settle: (delivery: ReceivedDelivery, end: Omit<TaskEnd, 'delivery'>) => void
}

/** Milliseconds after a hard limit for which the keeper goes on renewing: the pool kills at the limit, this is the net below. */
const leaseGraceMs = 30_000

/** The tasks that the pool has, from when it gets them to when what came of them is on its way. */
export class ActiveTasks implements ActiveTaskOwner {
  readonly #options: ActiveTasksOptions
  readonly #endings: TaskEndings
  readonly #active = new Set<ActiveTask>()
  #processed = 0
  #idle: Deferred<void> | undefined

  constructor(options: ActiveTasksOptions) {
    this.#options = options
    this.#endings = new TaskEndings({
      ...options,
      metrics: options.vitals?.tasks,
      finish: (task, end) => this.#finish(task, end),
      release: (task, action) => this.#release(task, action),
    })
  }

  /** Those that have not ended. */
  get all(): ReadonlySet<ActiveTask> {
    return this.#active
  }

  /** How many have ended since the start. */
  get processed(): number {
    return this.#processed
  }

  /** Resolves when there is none. */
  async idle(): Promise<void> {
    if (this.#active.size === 0) return
    this.#idle ??= deferred()
    await this.#idle.promise
  }

  submit(task: ActiveTask): void {
    // It was asked when the message came, and may have waited for its time or its turn since.
    if (task.expiresAtMs !== Infinity && task.expiresAtMs < this.#options.app.clock.now()) {
      this.#options.refusals.discardExpired(task.delivery, task.readInput())
      return
    }
    this.#active.add(task)
    try {
      this.#options.pool.submit(task)
    } catch (error) {
      this.#deactivate(task)
      const { delivery } = task
      if (CeleryError.is(error, 'ERR_CELERY_POOL_CLOSED')) {
        this.#options.settle(delivery, { action: { type: 'requeue', counted: false } })
      } else {
        // Too large for the way to a process, for example.
        this.#options.refusals.refuse(delivery, task.readInput(), error as Error)
      }
    }
  }

  started(task: ActiveTask, pid: number): void {
    task.pid = pid
    task.startedAt = performance.now()
    const { vitals } = this.#options
    if (vitals !== undefined) {
      vitals.tasks.started(task.name)
      vitals.lastTask?.set(task.title)
    }
    const { strategy, timeLimit } = task
    if (!strategy.acksLate) {
      task.acknowledged = this.#options.settler.acknowledge(task.delivery, (result) => this.#answered(task, result))
    } else if (timeLimit !== undefined) {
      task.isLimited = true
      this.#options.leases.limit(task.delivery, timeLimit * 1_000 + leaseGraceMs)
    }
    if (strategy.trackStarted && !task.ignoresResult) {
      const write = this.#options.app.tracer.startedRecord(task.readInput(), pid)
      this.#options.settler.finish({ write }, undefined, () => {})
    }
  }

  softTimedOut(task: ActiveTask): void {
    // One that is stuck runs on after its end was told.
    if (!this.#active.has(task)) return
    const limit = task.softTimeLimit as number
    this.#options.logger.warning(`Task ${task.title} runs over its soft time limit of ${limit}s`)
    task.strategy.request?.timedOut(task.readInput(), { soft: true, limit })
  }

  done(task: ActiveTask, result: JobResult): void {
    if (result.type === 'outcome' && result.outcome.isUnknown === true) this.#unknown(task)
    else this.#endings.done(task, result)
  }

  read(message: WireMessage, origin: MessageOrigin): TraceInput {
    return readTraceInput(message, origin, this.#options.app.messages)
  }

  /** The pool has other code than this process: its files were replaced under a running worker, for example. */
  #unknown(task: ActiveTask): void {
    const { unknownTasks } = this.#options
    const input = task.readInput()
    if (task.acknowledged === undefined) {
      unknownTasks.receive(task.delivery, input)
      this.#forget(task)
      return
    }
    const copy = unknownTasks.replace(input)
    if (copy instanceof Error) this.#endings.refuse(task, copy)
    else this.#finish(task, { publish: [copy] })
  }

  #release(task: ActiveTask, action: SettleAction): void {
    if (task.acknowledged === undefined) this.#options.settle(task.delivery, { action })
    this.#forget(task)
  }

  #finish(task: ActiveTask, end: TaskEnd): void {
    this.#options.settler.finish(end, task.acknowledged, (result) => this.#answered(task, result))
    this.#processed++
    this.#forget(task)
  }

  #forget(task: ActiveTask): void {
    this.#deactivate(task)
    task.forget()
    if (task.isLimited) this.#options.leases.unlimit(task.delivery)
    this.#options.window.ended()
    // Otherwise room is looked for when settlements leave: what is fetched then shares their transaction.
    const { concurrency, stuck = 0 } = this.#options.pool
    if (this.#active.size < concurrency - stuck) this.#options.onRoom()
  }

  #deactivate(task: ActiveTask): void {
    this.#active.delete(task)
    if (this.#active.size > 0) return
    this.#idle?.resolve()
    this.#idle = undefined
  }

  #answered(task: ActiveTask, result: SettleResult): void {
    if (result === 'done') return
    this.#options.logger.warning(
      `Task ${task.title} had gone to another worker when it was settled; what it did here is dropped`,
    )
  }
}
