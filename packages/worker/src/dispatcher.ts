import type { Celery } from '@celery/app'
import { readUnknownWait, type TraceInput, taskRequest } from '@celery/app/internal'
import type { IncomingMessage, ReceivedDelivery } from '@celery/messaging'
import { CeleryError } from '@celery/promises'
import { parseIsoTime, readTaskId, type WireMessage } from '@celery/protocol'
import type { DeliveryRef } from '@celery/transport'
import { ActiveTask } from './active-task.ts'
import { ActiveTasks } from './active-tasks.ts'
import type { BrokerLeases } from './broker-leases.ts'
import { CompletedTasks, endsAlone } from './completed-tasks.ts'
import type { WorkerVitals } from './health/worker-vitals.ts'
import { HeldMessages } from './held-messages.ts'
import type { Logger } from './logger.ts'
import type { OutcomeSettler, TaskEnd } from './outcome-settler.ts'
import { ParkedHere } from './parked-here.ts'
import type { TaskPool } from './pools/task-pool.ts'
import type { PrefetchWindow } from './prefetch-window.ts'
import { RateLimits } from './rate-limits.ts'
import { Refusals } from './refusals.ts'
import { createStrategy, type TaskStrategy } from './task-strategy.ts'
import { readTraceInput } from './trace-input.ts'
import { UnknownTasks } from './unknown-tasks.ts'

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
  /** Whether the broker can hold a delivery back until its time, */
  readonly canPark: boolean
  /** and what is published too. */
  readonly canDelay: boolean
  /** Tasks that wait here for their time at most; further messages are not taken. */
  readonly maxHeld: number
  /** Where things are counted, if anyone may ask. */
  readonly vitals?: WorkerVitals | undefined
}

type Envelope = string | Uint8Array | undefined

/** Sends every message to where it belongs: to the pool, back into the queue until its time, or to the dead letters. */
export class TaskDispatcher {
  readonly #options: DispatcherOptions
  readonly #strategies = new Map<string, TaskStrategy>()
  readonly #tasks: ActiveTasks
  readonly #held: HeldMessages
  readonly #limits: RateLimits
  readonly #parked = new ParkedHere()
  readonly #maxRedeliveries: number
  /** Where what succeeded already is not run again. */
  readonly #completed: CompletedTasks | undefined
  readonly #refusals: Refusals
  readonly #unknownTasks: UnknownTasks

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
      park: options.canPark ? (task, untilMs) => this.#park(task.delivery, task.readInput(), untilMs) : undefined,
    })
    this.#maxRedeliveries = app.conf.maxRedeliveries
    if (app.conf.workerDeduplicateSuccessfulTasks && app.backendAddress !== undefined) {
      this.#completed = new CompletedTasks(() => app.backend())
    }
    const refusals = new Refusals({ app, logger, held: this.#held, settle, metrics: options.vitals?.tasks })
    const unknownTasks = new UnknownTasks({ ...options, held: this.#held, refusals, settle })
    this.#refusals = refusals
    this.#unknownTasks = unknownTasks
    this.#tasks = new ActiveTasks({ ...options, settle, completed: this.#completed, refusals, unknownTasks })
    for (const task of app.tasks.values()) this.#strategies.set(task.name, createStrategy(app, task, options))
  }

  /** How many more messages can be taken. */
  get room(): number {
    return this.roomBeside(0)
  }

  /** The same while `coming` others are about to be received. */
  roomBeside(coming: number): number {
    const { maxHeld, pool, window } = this.#options
    if (!pool.healthy || pool.isBlocking === true || this.awaitsStore) return 0
    const taken = this.active.size + this.#limits.waiting + this.#held.preparing + coming
    // What was taken may bring results too, but no slot stays free because of what may not come.
    const storeRoom = Math.max(this.#storeRoom, pool.concurrency - (pool.stuck ?? 0)) - taken
    return Math.min(window.room(taken, pool.stuck), maxHeld - this.#held.tasks - coming, storeRoom)
  }

  /** Whether nothing is taken until the result store has what waits for it. */
  get awaitsStore(): boolean {
    return this.#storeRoom === 0
  }

  get #storeRoom(): number {
    const { settler, window } = this.#options
    return settler.storeRoom(window.base)
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
    const { pool, window } = this.#options
    return window.isOverfull(this.active.size, pool.stuck)
  }

  /** Never throws: what is wrong with one message must not keep the others. */
  receive(messages: readonly IncomingMessage[]): void {
    // Fetched before it was known that nothing can run here.
    const giveBack = !this.#options.pool.healthy
    for (const incoming of messages) {
      const { delivery } = incoming
      if (giveBack) this.#settle(delivery, { action: { type: 'requeue', counted: false } })
      else if (incoming.message === undefined) this.#refusals.reject(delivery, incoming.error)
      else this.#receive(withAllRedeliveries(delivery, incoming.message), incoming.message, incoming.envelope)
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
    if (refused === undefined) this.#route(delivery, input, envelope)
    else this.#refusals.refuse(delivery, input, refused)
  }

  /** Each line is one thing that may keep a message from the pool. */
  #route(delivery: ReceivedDelivery, input: TraceInput, envelope: Envelope): void {
    const { app, canPark, logger, vitals } = this.#options
    const { headers } = input
    const isNews = !this.#parked.take(headers)
    if (isNews && logger.isEnabled('info')) logger.info(`Task ${headers.task}[${headers.id}] received`)
    if (isNews) vitals?.tasks.received(headers.task)
    const strategy = this.#strategyOf(headers.task)
    const now = app.clock.now()
    const dueMs = timeOf(headers.eta, now)
    if (strategy === undefined && !this.#unknownTasks.mayWait) this.#unknownTasks.receive(delivery, input)
    else if (delivery.redeliveries > this.#maxRedeliveries) this.#refusals.refuseReturned(delivery, input)
    else if (timeOf(headers.expires, now) < now) this.#refusals.discardExpired(delivery, input)
    else if (dueMs > now && canPark) {
      if (strategy === undefined) this.#settle(delivery, { action: { type: 'park', untilMs: dueMs } })
      else {
        if (isNews) this.#tellReceived(input)
        this.#park(delivery, input, dueMs)
      }
    } else if (dueMs > now) this.#hold(delivery, input, strategy, dueMs - now)
    // The time in which somebody may know it begins when it is due.
    else if (strategy === undefined) this.#unknownTasks.receive(delivery, input)
    else {
      if (isNews) this.#tellReceived(input)
      this.#begin(delivery, input, strategy, envelope)
    }
  }

  /** A task that was declared later is known where this process runs it. */
  #strategyOf(name: string): TaskStrategy | undefined {
    const known = this.#strategies.get(name)
    const { app, pool } = this.#options
    if (known !== undefined || pool.runsInWorker !== true) return known
    const task = app.tasks.get(name)
    if (task === undefined) return undefined
    const strategy = createStrategy(app, task, this.#options)
    this.#strategies.set(name, strategy)
    return strategy
  }

  /** Its time has come. */
  #begin(delivery: ReceivedDelivery, input: TraceInput, strategy: TaskStrategy, envelope: Envelope): void {
    const { app, pool } = this.#options
    // Kept only where it is of use: a task may run for long.
    const task = new ActiveTask(delivery, input, strategy, this.#tasks, pool.forwardsEnvelopes ? envelope : undefined)
    const mayBeRepeated = strategy.acksLate && delivery.redeliveries > 0
    if (this.#completed !== undefined && mayBeRepeated && endsAlone(input, app.messages)) {
      void this.#admitUnlessCompleted(task, this.#completed)
    } else this.#admit(task)
  }

  /** Leaves it to the broker until its time, when this worker or another one gets it. */
  #park(delivery: ReceivedDelivery, { headers }: TraceInput, untilMs: number): void {
    this.#parked.add(headers)
    this.#settle(delivery, { action: { type: 'park', untilMs } })
  }

  #hold(delivery: ReceivedDelivery, input: TraceInput, strategy: TaskStrategy | undefined, delayMs: number): void {
    if (strategy !== undefined) this.#tellReceived(input)
    const task = strategy && new ActiveTask(delivery, input, strategy, this.#tasks, undefined)
    this.#held.untilTime(delivery, delayMs, () => {
      if (task === undefined) this.#unknownTasks.receive(delivery, input)
      else this.#admit(task)
      this.#options.onRoom()
    })
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
    const isCompleted = await this.#held.untilAnswered(task.delivery, answer)
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

/** Milliseconds since 1970; `now` where nothing is said, or nothing that can be read. */
function timeOf(text: string | null, now: number): number {
  return text === null ? now : (parseIsoTime(text) ?? now)
}

/** A message that was requeued because nobody knew its task has told the broker nothing of how often it came back before. */
function withAllRedeliveries(delivery: ReceivedDelivery, { headers }: WireMessage): ReceivedDelivery {
  const before = readUnknownWait(headers)?.redeliveries ?? 0
  return before === 0 ? delivery : { ...delivery, redeliveries: delivery.redeliveries + before }
}
