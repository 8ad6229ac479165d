import { type Celery, NotRegisteredError, TaskRevokedError, TimeLimitExceededError, WorkerLostError } from '@celery/app'
import { type TraceInput, type TraceOutcome, taskRequest } from '@celery/app/internal'
import type { IncomingMessage, ReceivedDelivery } from '@celery/messaging'
import { CeleryError, type Deferred, deferred } from '@celery/promises'
import { parseIsoTime, readTaskId, type WireMessage } from '@celery/protocol'
import { type DeliveryRef, deadLetterQueue, type SettleAction, type SettleResult } from '@celery/transport'
import { ActiveTask, type ActiveTaskOwner } from './active-task.ts'
import type { BrokerLeases } from './broker-leases.ts'
import { CompletedTasks } from './completed-tasks.ts'
import type { Logger } from './logger.ts'
import type { OutcomeSettler, TaskEnd } from './outcome-settler.ts'
import type { JobResult, TaskPool } from './pools/task-pool.ts'
import type { PrefetchWindow } from './prefetch-window.ts'
import { RateLimits } from './rate-limits.ts'
import { logOutcome } from './task-log.ts'
import { createStrategy, type TaskStrategy } from './task-strategy.ts'
import { type MessageOrigin, readTraceInput } from './trace-input.ts'

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

/** Milliseconds after a hard limit for which the keeper goes on renewing: the pool kills at the limit, this is the net below. */
const leaseGraceMs = 30_000

/** Sends every message to where it belongs: to the pool, back into the queue until its time, or to the dead letters. */
export class TaskDispatcher implements ActiveTaskOwner {
  readonly #options: DispatcherOptions
  readonly #strategies = new Map<string, TaskStrategy>()
  readonly #active = new Set<ActiveTask>()
  /** Tasks whose time has not come, and how to stop waiting for it. */
  readonly #held = new Map<ActiveTask, () => void>()
  readonly #limits: RateLimits
  readonly #maxRedeliveries: number
  /** Where what succeeded already is not run again. */
  readonly #completed: CompletedTasks | undefined
  /** What waits for a format to be brought into memory. */
  readonly #preparing = new Set<ReceivedDelivery>()
  #processed = 0
  #idle: Deferred<void> | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#limits = new RateLimits({
      // The other half of the window is for tasks without a limit.
      maxWaiting: Math.max(1, Math.floor(options.window.base / 2)),
      clock: options.app.clock,
      submit: (task) => this.#submit(task),
      park: options.canPark
        ? ({ delivery }, untilMs) => this.#settle(delivery, { action: { type: 'park', untilMs } })
        : undefined,
    })
    this.#maxRedeliveries = options.app.conf.maxRedeliveries
    if (options.app.conf.workerDeduplicateSuccessfulTasks && options.app.backendAddress !== undefined) {
      this.#completed = new CompletedTasks(() => options.app.backend())
    }
    for (const task of options.app.tasks.values())
      this.#strategies.set(task.name, createStrategy(options.app, task, options))
  }

  /** How many more messages can be taken. */
  get room(): number {
    const { maxHeld, pool, window } = this.#options
    if (!pool.healthy || pool.isBlocking === true) return 0
    const taken = this.#active.size + this.#limits.waiting + this.#preparing.size
    return Math.min(window.room(taken), maxHeld - this.#held.size)
  }

  /** Tasks received and not ended. */
  get active(): ReadonlySet<ActiveTask> {
    return this.#active
  }

  /** Every message that is ours: in the pool, or waiting here for its time or its turn. */
  get deliveries(): readonly DeliveryRef[] {
    const tasks = [...this.#active, ...this.#held.keys(), ...this.#limits.tasks]
    return [...tasks.map(({ delivery }) => delivery), ...this.#preparing]
  }

  /** Tasks ended since the start. */
  get processed(): number {
    return this.#processed
  }

  /** Resolves when no task is active. */
  async idle(): Promise<void> {
    if (this.#active.size === 0) return
    this.#idle ??= deferred()
    await this.#idle.promise
  }

  /** Whether messages lie here that another worker could be running. */
  get isOverfull(): boolean {
    return this.#options.window.isOverfull(this.#active.size)
  }

  /** Never throws: what is wrong with one message must not keep the others. */
  receive(messages: readonly IncomingMessage[]): void {
    // Fetched before it was known that nothing can run here.
    const giveBack = !this.#options.pool.healthy
    for (const incoming of messages) {
      const { delivery } = incoming
      if (giveBack) this.#settle(delivery, { action: { type: 'requeue', counted: false } })
      else if (incoming.message === undefined) this.#reject(delivery, incoming.error)
      else this.#receive(delivery, incoming.message, incoming.envelope)
    }
  }

  #receive(delivery: ReceivedDelivery, message: WireMessage, envelope: Envelope): void {
    try {
      this.#dispatch(delivery, message, envelope)
    } catch (unexpected) {
      this.#reject(delivery, unexpected as Error)
    }
  }

  started(task: ActiveTask, pid: number): void {
    task.pid = pid
    task.startedAt = performance.now()
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
    const limit = task.softTimeLimit as number
    this.#options.logger.warning(`Task ${task.title} runs over its soft time limit of ${limit}s`)
    task.strategy.request?.timedOut(task.readInput(), { soft: true, limit })
  }

  done(task: ActiveTask, result: JobResult): void {
    switch (result.type) {
      case 'outcome':
        this.#ended(task, result.outcome)
        break
      case 'recalled':
        this.#release(task, { type: 'requeue', counted: false })
        break
      case 'lost':
        this.#lost(task, result.reason)
        break
      case 'timeout':
        this.#timedOut(task, result.limit, result.stuck)
    }
  }

  read(message: WireMessage, origin: MessageOrigin): TraceInput {
    return readTraceInput(message, origin, this.#options.app.tracer)
  }

  #dispatch(delivery: ReceivedDelivery, message: WireMessage, envelope: Envelope): void {
    const input = this.#read(delivery, message, envelope)
    if (input === undefined) return
    const refused = this.#refusal(message)
    if (refused !== undefined) {
      this.#refuse(delivery, input, refused)
      return
    }
    const { headers } = input
    const { logger } = this.#options
    if (logger.isEnabled('info')) logger.info(`Task ${headers.task}[${headers.id}] received`)
    const strategy = this.#strategies.get(headers.task)
    const now = this.#options.app.clock.now()
    const dueMs = headers.eta === null ? now : (parseIsoTime(headers.eta) ?? now)
    if (strategy === undefined) {
      this.#unknown(delivery, input)
    } else if (delivery.redeliveries > this.#maxRedeliveries) {
      this.#refuse(
        delivery,
        input,
        new WorkerLostError(`the message came back from ${delivery.redeliveries} lost workers`),
      )
    } else if (headers.expires !== null && (parseIsoTime(headers.expires) ?? now) < now) {
      this.#expire(delivery, input)
    } else if (dueMs <= now) {
      // Kept only where it is of use: a task may run for long.
      const forwarded = this.#options.pool.forwardsEnvelopes ? envelope : undefined
      this.#tellReceived(input)
      const task = new ActiveTask(delivery, input, strategy, this, forwarded)
      if (this.#completed !== undefined && strategy.acksLate && delivery.redeliveries > 0) {
        void this.#admitUnlessCompleted(task, this.#completed)
      } else this.#admit(task)
    } else if (this.#options.canPark) {
      this.#settle(delivery, { action: { type: 'park', untilMs: dueMs } })
    } else {
      this.#tellReceived(input)
      this.#hold(new ActiveTask(delivery, input, strategy, this, undefined), dueMs - now)
    }
  }

  /** On a broker that cannot hold a message back until its time, it is held here, as Celery does; it takes no slot meanwhile. */
  #hold(task: ActiveTask, delayMs: number): void {
    const cancel = this.#options.app.clock.schedule(delayMs, () => {
      this.#held.delete(task)
      this.#admit(task)
      this.#options.onRoom()
    })
    this.#held.set(task, cancel)
  }

  /** Gives back what waits here for its time or its turn: the worker stops. */
  releaseHeld(): void {
    for (const cancel of this.#held.values()) cancel()
    const waiting = [...this.#held.keys(), ...this.#limits.release()].map(({ delivery }) => delivery)
    for (const delivery of [...waiting, ...this.#preparing])
      this.#settle(delivery, { action: { type: 'requeue', counted: false } })
    this.#held.clear()
    this.#preparing.clear()
  }

  /** Never rejects: a store that cannot be asked has said nothing, and a task may run twice but not never. */
  async #admitUnlessCompleted(task: ActiveTask, completed: CompletedTasks): Promise<void> {
    // It counts as ours meanwhile, and goes back where the worker stops.
    this.#held.set(task, () => {})
    const isCompleted = await completed.has(task.id).catch((error: unknown) => {
      this.#options.logger.warning(`cannot ask whether task ${task.title} has succeeded already: ${String(error)}`)
      return false
    })
    if (!this.#held.delete(task)) return
    if (isCompleted) {
      this.#options.logger.info(`Task ${task.title} has succeeded already; its message came again and is dropped`)
      this.#settle(task.delivery, {})
    } else this.#admit(task)
  }

  #admit(task: ActiveTask): void {
    const { rateLimit } = task.strategy
    if (rateLimit === undefined) this.#submit(task)
    else this.#limits.admit(task, rateLimit)
  }

  #submit(task: ActiveTask): void {
    this.#active.add(task)
    try {
      this.#options.pool.submit(task)
    } catch (error) {
      this.#deactivate(task)
      const { delivery } = task
      if (CeleryError.is(error, 'ERR_CELERY_POOL_CLOSED')) {
        this.#settle(delivery, { action: { type: 'requeue', counted: false } })
      } else {
        // Too large for the way to a process, for example.
        this.#refuse(delivery, task.readInput(), error as Error)
      }
    }
  }

  #read(delivery: ReceivedDelivery, message: WireMessage, envelope: Envelope): TraceInput | undefined {
    const { queue, redeliveries } = delivery
    try {
      return this.read(message, { hostname: this.#options.hostname, queue, redeliveries })
    } catch (error) {
      const missing = CeleryError.is(error, 'ERR_CELERY_CODEC_UNAVAILABLE')
      const loading = missing ? this.#options.app.tracer.prepare(message) : undefined
      if (loading === undefined) this.#reject(delivery, error as Error, this.#taskId(message))
      else void this.#dispatchAfter(loading, delivery, message, envelope)
      return undefined
    }
  }

  /** Once in a while a message of protocol 1 comes in a compression that none came in before. */
  async #dispatchAfter(
    loading: Promise<void>,
    delivery: ReceivedDelivery,
    message: WireMessage,
    envelope: Envelope,
  ): Promise<void> {
    this.#preparing.add(delivery)
    const failure = await loading.then(
      () => undefined,
      (error: unknown) => error as Error,
    )
    // Given back meanwhile, or still ours.
    if (!this.#preparing.delete(delivery)) return
    if (failure !== undefined) this.#reject(delivery, failure, readTaskId(message.headers))
    else this.#receive(delivery, message, envelope)
    this.#options.onRoom()
  }

  /** Why a message that can be read so far must not be read further. */
  #refusal(message: WireMessage): Error | undefined {
    try {
      this.#options.app.tracer.assertAccepted(message)
      return undefined
    } catch (error) {
      return error as Error
    }
  }

  /** Of a message that is none; in protocol 1 it stands in the body, which may be broken too. */
  #taskId(message: WireMessage): string | undefined {
    const id = readTaskId(message.headers)
    if (id !== undefined || message.headers['task'] !== undefined) return id
    try {
      return readTaskId(this.#options.app.tracer.readBody(message))
    } catch {
      return undefined
    }
  }

  /** A message that is not a task message, or none at all. Where it has an id, someone may be waiting for it. */
  #reject(delivery: ReceivedDelivery, error: Error, taskId?: string): void {
    const id = taskId ?? delivery.tag
    const { taskRejected } = this.#options.app.signals
    if (taskRejected.hasListeners) void taskRejected.send({ sender: delivery.queue, id: taskId, error })
    this.#options.logger.error(`Rejected message ${id} from queue "${delivery.queue}": ${error.message}`)
    const write = taskId === undefined ? undefined : this.#options.app.tracer.refusedRecord(taskId, error)
    this.#settle(delivery, { action: { type: 'dead', reason: error.message }, write })
  }

  /** A task message that nobody here will run: it fails, and is kept with the dead letters. */
  #refuse(delivery: ReceivedDelivery, input: TraceInput, error: Error): void {
    this.#options.logger.error(
      `Refused ${input.headers.task}[${input.headers.id}] from queue "${delivery.queue}": ${error.message}`,
    )
    const action: SettleAction = { type: 'dead', reason: error.message }
    const failed = this.#options.app.tracer.failed(input, error)
    if (failed instanceof Promise) this.#preparing.add(delivery)
    whenThere(failed, ({ write, publish }) => {
      // Given back meanwhile.
      if (failed instanceof Promise && !this.#preparing.delete(delivery)) return
      this.#settle(delivery, { action, write, publish })
    })
  }

  #unknown(delivery: ReceivedDelivery, input: TraceInput): void {
    const { id, task } = input.headers
    const error = new NotRegisteredError(task, this.#options.app.closestTask(task))
    const { taskUnknown } = this.#options.app.signals
    if (taskUnknown.hasListeners) void taskUnknown.send({ sender: task, id, queue: delivery.queue, error })
    this.#refuse(delivery, input, error)
  }

  #tellReceived(input: TraceInput): void {
    const { taskReceived } = this.#options.app.signals
    if (!taskReceived.hasListeners) return
    void taskReceived.send({ sender: input.headers.task, request: taskRequest(input, undefined) })
  }

  #expire(delivery: ReceivedDelivery, input: TraceInput): void {
    this.#options.logger.info(`Discarding revoked task: ${input.headers.task}[${input.headers.id}] (expired)`)
    const reason = new TaskRevokedError('expired')
    const { taskRevoked } = this.#options.app.signals
    if (taskRevoked.hasListeners) {
      const request = taskRequest(input, undefined)
      void taskRevoked.send({ sender: input.headers.task, request, reason, expired: true, terminated: false })
    }
    const { write } = this.#options.app.tracer.revoked(input, reason)
    this.#settle(delivery, { write })
  }

  #ended(task: ActiveTask, outcome: TraceOutcome): void {
    const { dead, publish, write } = outcome
    if (dead !== undefined) {
      this.#options.logger.error(`Refused ${task.title} from queue "${task.delivery.queue}": ${dead}`)
      this.#bury(task, outcome, dead)
      return
    }
    logOutcome(this.#options.logger, task, outcome)
    if (outcome.state === 'FAILURE') this.#tellFailed(task, outcome.text, outcome.traceback)
    if (outcome.state === 'SUCCESS') this.#completed?.add(task.id)
    const failed = outcome.state === 'FAILURE' && !task.strategy.acksOnFailure
    const action: SettleAction | undefined =
      outcome.state === 'REJECTED'
        ? outcome.requeue === true
          ? { type: 'requeue', counted: true }
          : { type: 'dead', reason: outcome.text }
        : failed
          ? { type: 'dead', reason: outcome.text }
          : undefined
    this.#finish(task, { delivery: unsettled(task), action, write, publish })
  }

  /** It cannot be run by anyone. An early ack took the message already: a copy goes to the dead letters. */
  #bury(task: ActiveTask, outcome: TraceOutcome, reason: string): void {
    const { publish, write } = outcome
    if (task.acknowledged === undefined) {
      this.#finish(task, { delivery: task.delivery, action: { type: 'dead', reason }, write, publish })
      return
    }
    const { headers, body, contentType, contentEncoding, replyTo } = task.readInput()
    const copy = {
      exchange: '',
      routingKey: deadLetterQueue(task.delivery.queue),
      message: {
        body,
        contentType,
        contentEncoding,
        headers: { ...headers, 'x-celery-dead-reason': reason },
        properties: {
          correlation_id: headers.id,
          delivery_mode: 2 as const,
          ...(replyTo === undefined ? {} : { reply_to: replyTo }),
        },
      },
    }
    this.#finish(task, { write, publish: [...(publish ?? []), copy] })
  }

  #lost(task: ActiveTask, reason: string): void {
    const { strategy } = task
    const error = new WorkerLostError(`the process that ran the task ended before it: ${reason}`)
    this.#options.logger.error(`Task ${task.title} lost: ${error.message}`)
    if (strategy.acksLate && (strategy.rejectOnWorkerLost || this.#options.isCold())) {
      this.#release(task, { type: 'requeue', counted: true })
      return
    }
    whenThere(this.#options.app.tracer.failed(task.readInput(), error), ({ text, write, publish }) => {
      this.#tellFailed(task, text)
      this.#finish(task, { delivery: unsettled(task), write, publish })
    })
  }

  #tellFailed(task: ActiveTask, reason: string, traceback?: string): void {
    task.strategy.request?.failed(task.readInput(), { reason, traceback })
  }

  #timedOut(task: ActiveTask, limit: number, stuck: boolean): void {
    const error = new TimeLimitExceededError(limit)
    this.#options.logger.error(
      `Task ${task.title} ran over its hard time limit of ${limit}s${stuck ? ' and is stuck' : ''}`,
    )
    const actions = {
      ack: undefined,
      dead: { type: 'dead', reason: error.message },
      requeue: { type: 'requeue', counted: true },
    } as const
    const action: SettleAction | undefined = actions[task.strategy.onTimeout]
    task.strategy.request?.timedOut(task.readInput(), { soft: false, limit })
    whenThere(this.#options.app.tracer.failed(task.readInput(), error), ({ text, write, publish }) => {
      this.#tellFailed(task, text)
      this.#finish(task, { delivery: unsettled(task), action, write, publish })
    })
  }

  #release(task: ActiveTask, action: SettleAction): void {
    if (task.acknowledged === undefined) this.#settle(task.delivery, { action })
    this.#forget(task)
  }

  #finish(task: ActiveTask, end: TaskEnd): void {
    this.#options.settler.finish(end, task.acknowledged, (result) => this.#answered(task, result))
    this.#processed++
    this.#forget(task)
  }

  #settle(delivery: ReceivedDelivery, end: Omit<TaskEnd, 'delivery'>): void {
    this.#options.settler.finish({ ...end, delivery }, undefined, (result) => {
      if (result === 'stale')
        this.#options.logger.warning(`Message ${delivery.tag} had gone to another worker before it was settled`)
    })
  }

  #forget(task: ActiveTask): void {
    this.#deactivate(task)
    if (task.isLimited) this.#options.leases.unlimit(task.delivery)
    this.#options.window.ended()
    // Otherwise room is looked for when settlements leave: what is fetched then shares their transaction.
    if (this.#active.size < this.#options.pool.concurrency) this.#options.onRoom()
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

/** What takes time is there soon, and never fails: a tracer's outcome. */
function whenThere(outcome: TraceOutcome | Promise<TraceOutcome>, use: (outcome: TraceOutcome) => void): void {
  if (outcome instanceof Promise) void outcome.then(use)
  else use(outcome)
}

/** The delivery, unless it was acknowledged early. */
function unsettled({ acknowledged, delivery }: ActiveTask): ReceivedDelivery | undefined {
  return acknowledged === undefined ? delivery : undefined
}
