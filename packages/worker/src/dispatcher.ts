import { type Celery, WorkerLostError } from '@celery/app'
import { type TraceInput, taskRequest } from '@celery/app/internal'
import type { IncomingMessage, ReceivedDelivery } from '@celery/messaging'
import { CeleryError } from '@celery/promises'
import { parseIsoTime, readTaskId, type WireMessage } from '@celery/protocol'
import type { DeliveryRef } from '@celery/transport'
import { ActiveTask } from './active-task.ts'
import { ActiveTasks } from './active-tasks.ts'
import type { BrokerLeases } from './broker-leases.ts'
import { CompletedTasks, endsAlone } from './completed-tasks.ts'
import { HeldMessages } from './held-messages.ts'
import type { Logger } from './logger.ts'
import type { OutcomeSettler, TaskEnd } from './outcome-settler.ts'
import type { TaskPool } from './pools/task-pool.ts'
import type { PrefetchWindow } from './prefetch-window.ts'
import { RateLimits } from './rate-limits.ts'
import { Refusals } from './refusals.ts'
import { createStrategy, type TaskStrategy } from './task-strategy.ts'
import { readTraceInput } from './trace-input.ts'

export interface DispatcherOptions {
  readonly app: Celery
  readonly hostname: string
  readonly pool: TaskPool
  readonly settler: OutcomeSettler
  readonly leases: BrokerLeases
  readonly logger: Logger
  /** How many messages to hold at the same time, running and waiting. */
  readonly window: PrefetchWindow
  /** Whether the worker is ending its running tasks on purpose. */
  readonly isCold: () => boolean
  /** A slot is free and nothing waits for it. */
  readonly onRoom: () => void
  /** Seconds, for tasks that set none. */
  readonly timeLimit: number | undefined
  readonly softTimeLimit: number | undefined
  /** Whether the broker can hold a message back until its time. */
  readonly canPark: boolean
  /** Tasks that wait here for their time at most; further messages are not taken. */
  readonly maxHeld: number
}

type Envelope = string | Uint8Array | undefined

/** Sends every message to where it belongs: to the pool, back into the queue until its time, or to the dead letters. */
export class TaskDispatcher {
  readonly #options: DispatcherOptions
  readonly #strategies = new Map<string, TaskStrategy>()
  readonly #tasks: ActiveTasks
  readonly #held: HeldMessages
  readonly #limits: RateLimits
  readonly #maxRedeliveries: number
  /** Where what succeeded already is not run again. */
  readonly #completed: CompletedTasks | undefined
  readonly #refusals: Refusals

  constructor(options: DispatcherOptions) {
    this.#options = options
    const { app, logger } = options
    const settle = this.#settle.bind(this)
    this.#held = new HeldMessages(app.clock)
    this.#limits = new RateLimits({
      // The other half of the window is for tasks without a limit.
      maxWaiting: Math.max(1, Math.floor(options.window.base / 2)),
      clock: app.clock,
      submit: (task) => this.#tasks.submit(task),
      park: options.canPark
        ? ({ delivery }, untilMs) => this.#settle(delivery, { action: { type: 'park', untilMs } })
        : undefined,
    })
    this.#maxRedeliveries = app.conf.maxRedeliveries
    if (app.conf.workerDeduplicateSuccessfulTasks && app.backendAddress !== undefined) {
      this.#completed = new CompletedTasks(() => app.backend())
    }
    this.#refusals = new Refusals({ app, logger, held: this.#held, settle })
    this.#tasks = new ActiveTasks({ ...options, settle, completed: this.#completed, refusals: this.#refusals })
    for (const task of app.tasks.values()) this.#strategies.set(task.name, createStrategy(app, task, options))
  }

  /** How many more messages can be taken. */
  get room(): number {
    const { maxHeld, pool, window } = this.#options
    if (!pool.healthy || pool.isBlocking === true) return 0
    const taken = this.active.size + this.#limits.waiting + this.#held.preparing
    return Math.min(window.room(taken), maxHeld - this.#held.tasks)
  }

  /** Tasks received and not ended. */
  get active(): ReadonlySet<ActiveTask> {
    return this.#tasks.all
  }

  /** Every message that is ours: in the pool, or waiting here for its time or its turn. */
  get deliveries(): readonly DeliveryRef[] {
    const tasks = [...this.active, ...this.#limits.tasks]
    return [...tasks.map(({ delivery }) => delivery), ...this.#held.deliveries]
  }

  /** Tasks ended since the start. */
  get processed(): number {
    return this.#tasks.processed
  }

  /** Resolves when no task is active. */
  async idle(): Promise<void> {
    await this.#tasks.idle()
  }

  /** Whether messages lie here that another worker could be running. */
  get isOverfull(): boolean {
    return this.#options.window.isOverfull(this.active.size)
  }

  /** Never throws: what is wrong with one message must not keep the others. */
  receive(messages: readonly IncomingMessage[]): void {
    // Fetched before it was known that nothing can run here.
    const giveBack = !this.#options.pool.healthy
    for (const incoming of messages) {
      const { delivery } = incoming
      if (giveBack) this.#settle(delivery, { action: { type: 'requeue', counted: false } })
      else if (incoming.message === undefined) this.#refusals.reject(delivery, incoming.error)
      else this.#receive(delivery, incoming.message, incoming.envelope)
    }
  }

  #receive(delivery: ReceivedDelivery, message: WireMessage, envelope: Envelope): void {
    try {
      this.#dispatch(delivery, message, envelope)
    } catch (unexpected) {
      this.#refusals.reject(delivery, unexpected as Error)
    }
  }

  #dispatch(delivery: ReceivedDelivery, message: WireMessage, envelope: Envelope): void {
    const input = this.#read(delivery, message, envelope)
    if (input === undefined) return
    const refused = this.#refusal(message)
    if (refused !== undefined) {
      this.#refusals.refuse(delivery, input, refused)
      return
    }
    const { headers } = input
    const { logger } = this.#options
    if (logger.isEnabled('info')) logger.info(`Task ${headers.task}[${headers.id}] received`)
    const strategy = this.#strategies.get(headers.task)
    const now = this.#options.app.clock.now()
    const dueMs = headers.eta === null ? now : (parseIsoTime(headers.eta) ?? now)
    if (strategy === undefined) {
      this.#refusals.refuseUnknown(delivery, input)
    } else if (delivery.redeliveries > this.#maxRedeliveries) {
      this.#refusals.refuse(
        delivery,
        input,
        new WorkerLostError(`the message came back from ${delivery.redeliveries} lost workers`),
      )
    } else if (headers.expires !== null && (parseIsoTime(headers.expires) ?? now) < now) {
      this.#refusals.discardExpired(delivery, input)
    } else if (dueMs <= now) {
      // Kept only where it is of use: a task may run for long.
      const forwarded = this.#options.pool.forwardsEnvelopes ? envelope : undefined
      this.#tellReceived(input)
      const task = new ActiveTask(delivery, input, strategy, this.#tasks, forwarded)
      const mayBeRepeated = strategy.acksLate && delivery.redeliveries > 0
      if (this.#completed !== undefined && mayBeRepeated && endsAlone(input, this.#options.app.messages)) {
        void this.#admitUnlessCompleted(task, this.#completed)
      } else this.#admit(task)
    } else if (this.#options.canPark) {
      this.#settle(delivery, { action: { type: 'park', untilMs: dueMs } })
    } else {
      this.#tellReceived(input)
      const task = new ActiveTask(delivery, input, strategy, this.#tasks, undefined)
      this.#held.untilTime(task, dueMs - now, () => {
        this.#admit(task)
        this.#options.onRoom()
      })
    }
  }

  /** Gives back what waits here for its time or its turn: the worker stops. */
  releaseHeld(): void {
    const limited = this.#limits.release().map(({ delivery }) => delivery)
    for (const delivery of [...this.#held.release(), ...limited])
      this.#settle(delivery, { action: { type: 'requeue', counted: false } })
  }

  /** Never rejects: a store that cannot be asked has said nothing, and a task may run twice but not never. */
  async #admitUnlessCompleted(task: ActiveTask, completed: CompletedTasks): Promise<void> {
    const answer = completed.has(task.id).catch((error: unknown) => {
      this.#options.logger.warning(`cannot ask whether task ${task.title} has succeeded already: ${String(error)}`)
      return false
    })
    const isCompleted = await this.#held.untilAnswered(task, answer)
    if (isCompleted === undefined) return
    if (isCompleted) {
      this.#options.logger.info(`Task ${task.title} has succeeded already; its message came again and is dropped`)
      this.#settle(task.delivery, {})
    } else this.#admit(task)
  }

  #admit(task: ActiveTask): void {
    const { rateLimit } = task.strategy
    if (rateLimit === undefined) this.#tasks.submit(task)
    else this.#limits.admit(task, rateLimit)
  }

  #read(delivery: ReceivedDelivery, message: WireMessage, envelope: Envelope): TraceInput | undefined {
    const { app } = this.#options
    const { queue, redeliveries } = delivery
    try {
      return readTraceInput(message, { hostname: this.#options.hostname, queue, redeliveries }, app.messages)
    } catch (error) {
      const missing = CeleryError.is(error, 'ERR_CELERY_CODEC_UNAVAILABLE')
      const loading = missing ? app.messages.prepare(message) : undefined
      if (loading === undefined) this.#refusals.rejectMessage(delivery, error as Error, message)
      else this.#dispatchAfter(loading, delivery, message, envelope)
      return undefined
    }
  }

  /** Once in a while a message of protocol 1 comes in a compression that none came in before. */
  #dispatchAfter(loading: Promise<void>, delivery: ReceivedDelivery, message: WireMessage, envelope: Envelope): void {
    const loaded = loading.then(
      () => undefined,
      (error: unknown) => error as Error,
    )
    void this.#held.whilePreparing(delivery, loaded, (failure) => {
      if (failure !== undefined) this.#refusals.reject(delivery, failure, readTaskId(message.headers))
      else this.#receive(delivery, message, envelope)
      this.#options.onRoom()
    })
  }

  /** Why a message that can be read so far must not be read further. */
  #refusal(message: WireMessage): Error | undefined {
    try {
      this.#options.app.messages.assertAccepted(message)
      return undefined
    } catch (error) {
      return error as Error
    }
  }

  #tellReceived(input: TraceInput): void {
    const { taskReceived } = this.#options.app.signals
    if (!taskReceived.hasListeners) return
    void taskReceived.send({ sender: input.headers.task, request: taskRequest(input, undefined) })
  }

  #settle(delivery: ReceivedDelivery, end: Omit<TaskEnd, 'delivery'>): void {
    this.#options.settler.finish({ ...end, delivery }, undefined, (result) => {
      if (result === 'stale')
        this.#options.logger.warning(`Message ${delivery.tag} had gone to another worker before it was settled`)
    })
  }
}
