import { type Celery, NotRegisteredError } from '@celery/app'
import { messageCopy, readUnknownWait, type TraceInput, unknownWaitHeaders } from '@celery/app/internal'
import type { ReceivedDelivery } from '@celery/messaging'
import { assertEnvelopeSize, parseIsoTime } from '@celery/protocol'
import type { Publication } from '@celery/transport'
import type { HeldMessages } from './held-messages.ts'
import type { Logger } from './logger.ts'
import type { TaskEnd } from './outcome-settler.ts'
import type { Refusals } from './refusals.ts'

export interface UnknownTasksOptions {
  readonly app: Celery
  readonly logger: Logger
  readonly held: HeldMessages
  readonly refusals: Refusals
  readonly settle: (delivery: ReceivedDelivery, end: Omit<TaskEnd, 'delivery'>) => void
  /** Whether the broker itself holds back what is published until its time. */
  readonly canDelay: boolean
  /** A message that was held here is gone. */
  readonly onRoom: () => void
}

interface Requeue {
  readonly publication: Publication
  readonly waitMs: number
}

/** Milliseconds of the first wait. After that each is as long as all before it together, */
const firstWaitMs = 1_000
/** and at most this: so long may a task be late when a worker that knows it has come. */
const longestWaitMs = 30_000

/**
 * Messages whose task is not registered here. They go to the dead letters, or are requeued for a while: in a rolling deploy
 * old workers get what only new ones know.
 *
 * A requeue is a copy in the place of the message, in one step, which says for how long it was held back: so the wait has an
 * end, whoever gets the message how often, and whether workers are started anew meanwhile.
 */
export class UnknownTasks {
  readonly #options: UnknownTasksOptions
  /** Whether a message may wait for somebody who knows its task. */
  readonly mayWait: boolean
  readonly #mostWaitMs: number

  constructor(options: UnknownTasksOptions) {
    this.#options = options
    const { unknownTasks, unknownTaskWaitMs } = options.app.conf
    this.mayWait = unknownTasks === 'requeue'
    this.#mostWaitMs = Math.ceil(unknownTaskWaitMs)
  }

  /** One that is ours: requeues or refuses it. */
  receive(delivery: ReceivedDelivery, input: TraceInput): void {
    const { canDelay, held, onRoom, refusals, settle } = this.#options
    const requeue = this.#requeue(input)
    if (requeue instanceof Error) {
      refusals.refuse(delivery, input, requeue)
      return
    }
    const { publication, waitMs } = requeue
    this.#warn(input)
    if (canDelay) {
      settle(delivery, { publish: [publication] })
      return
    }
    held.untilTime(delivery, waitMs, () => {
      settle(delivery, { publish: [publication] })
      onRoom()
    })
  }

  /** The message that takes the place of one that was acknowledged already, or why there is none. */
  replace(input: TraceInput): Publication | Error {
    const requeue = this.#requeue(input)
    if (requeue instanceof Error) return requeue
    // Where nobody can hold it back it is safe only with the dead letters.
    if (!this.#options.canDelay) return this.#errorOf(input)
    this.#warn(input)
    return requeue.publication
  }

  #requeue(input: TraceInput): Requeue | Error {
    const error = this.#errorOf(input)
    this.#tell(input, error)
    const waitMs = this.#nextWaitMs(input)
    if (waitMs === 0) return error
    const publication = this.#copy(input, waitMs)
    try {
      assertEnvelopeSize(publication.message, publication.exchange, publication.routingKey)
      return { publication, waitMs }
    } catch (tooLarge) {
      return tooLarge as Error
    }
  }

  #errorOf({ headers }: TraceInput): NotRegisteredError {
    const { app } = this.#options
    const place = app.tasks.has(headers.task) ? 'pool' : 'here'
    return new NotRegisteredError(headers.task, app.closestTask(headers.task), place)
  }

  /** Once for each message, however often it is requeued. */
  #tell({ headers, queue }: TraceInput, error: NotRegisteredError): void {
    if (readUnknownWait(headers) !== undefined) return
    const { id, task } = headers
    const { taskUnknown } = this.#options.app.signals
    if (taskUnknown.hasListeners) void taskUnknown.send({ sender: task, id, queue, error })
  }

  /** As often. */
  #warn({ headers, queue }: TraceInput): void {
    if (readUnknownWait(headers) !== undefined) return
    const { id, task } = headers
    this.#options.logger.warning(
      `Task ${task}[${id}] from queue "${queue}" is not registered here; requeued for up to ${this.#mostWaitMs / 1_000} s, so that a worker that knows it can take it`,
    )
  }

  /** 0: it has waited long enough. */
  #nextWaitMs({ headers }: TraceInput): number {
    if (!this.mayWait) return 0
    const waitedMs = readUnknownWait(headers)?.waitedMs ?? 0
    const leftMs = this.#mostWaitMs - waitedMs
    const now = this.#options.app.clock.now()
    // One that expires is shown more often before it does.
    const usefulMs = headers.expires === null ? Infinity : ((parseIsoTime(headers.expires) ?? Infinity) - now) / 2
    const wishedMs = Math.max(firstWaitMs, Math.min(waitedMs, longestWaitMs, Math.floor(usefulMs)))
    return Math.max(0, Math.min(wishedMs, leftMs))
  }

  #copy(input: TraceInput, waitMs: number): Publication {
    const { app, canDelay } = this.#options
    const { headers, queue, redeliveries } = input
    const waitedMs = (readUnknownWait(headers)?.waitedMs ?? 0) + waitMs
    return {
      exchange: '',
      routingKey: queue,
      // One that no queue takes must not be lost without a word.
      mandatory: true,
      message: messageCopy(input, unknownWaitHeaders({ waitedMs, redeliveries })),
      ...(canDelay ? { notBeforeMs: app.clock.now() + waitMs } : {}),
    }
  }
}
