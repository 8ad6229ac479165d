import {
  type AbortableOptions,
  abortable,
  CeleryError,
  type Deferred,
  deferred,
  sleep,
  systemClock,
} from '@celery/promises'
import { type BrokerConnection, deliveryTags, type Publication } from '@celery/transport'
import { Batcher } from './batcher.ts'
import type { Connection } from './connection.ts'
import { Deadline } from './deadline.ts'
import { Declarations } from './declarations.ts'
import type { Exchange } from './exchange.ts'
import { defaultAnswerTimeoutMs, schedulePatiently } from './no-answer.ts'
import type { Queue } from './queue.ts'
import { isTemporary } from './temporary-errors.ts'

export interface ProducerOptions {
  readonly connection: Connection
  /** Milliseconds after which an unconfirmed publish rejects. @defaultValue `10_000` */
  readonly publishTimeoutMs?: number
  /** How often and when to try again after a lost connection; `undefined` does not (`task_publish_retry_policy`, seconds). */
  readonly retryPolicy?: PublishRetryPolicy | undefined
  /**
   * Milliseconds in which the driver must have let go of a message that is not waited for any more; else its connection counts
   * as lost, and the next message gets another one. @defaultValue `30_000`
   */
  readonly answerTimeoutMs?: number | undefined
}

/** Celery's names and units, seconds. `maxRetries: null` tries until the publish timeout. */
export interface PublishRetryPolicy {
  readonly maxRetries: number | null
  readonly intervalStart: number
  readonly intervalStep: number
  readonly intervalMax: number
  /** Recognises errors after which it tries again too, besides a lost connection and a busy broker. @defaultValue none */
  readonly retryErrors?: ((error: unknown) => boolean) | undefined
}

export interface PublishOptions {
  /** Milliseconds after which it rejects when it is not confirmed. @defaultValue the producer's */
  readonly timeoutMs?: number | undefined
  /** How often to try again; `null` does not. @defaultValue the producer's */
  readonly retryPolicy?: PublishRetryPolicy | null | undefined
  /** Made before it is published, once on each connection. @defaultValue none */
  readonly declare?: readonly (Exchange | Queue)[] | undefined
}

interface Limits {
  readonly timeoutMs: number
  readonly retryPolicy: PublishRetryPolicy | undefined
}

interface Waiting {
  readonly publication: Publication
  /** Not one of its limits: messages that need something travel together with those that need nothing. */
  readonly declare: readonly (Exchange | Queue)[]
  readonly done: Deferred<void>
  readonly deadline: number
  /** One object for a whole batch. */
  readonly limits: Limits
}

/**
 * Publishes messages and waits for the broker's confirmation, never longer than the publish timeout.
 * Messages given in one turn of the event loop, or while the broker is busy with others, travel together.
 */
export class Producer {
  readonly #connection: Connection
  readonly #limits: Limits
  readonly #answerTimeoutMs: number
  /** Messages under way with limits of their own, which no batch can have. */
  readonly #single = new Set<Promise<void>>()
  readonly #newTag = deliveryTags()
  readonly #declarations = new Declarations()
  readonly #batcher: Batcher<Waiting>
  /** Of the batch under way. */
  readonly #deadline: Deadline

  constructor(options: ProducerOptions) {
    this.#connection = options.connection
    this.#limits = { timeoutMs: options.publishTimeoutMs ?? 10_000, retryPolicy: options.retryPolicy }
    this.#answerTimeoutMs = options.answerTimeoutMs ?? defaultAnswerTimeoutMs
    this.#deadline = this.#newDeadline(this.#limits)
    // What is sent in one go comes in one turn; a message alone need not wait for the end of it.
    this.#batcher = new Batcher({
      run: (batch) => this.#publishAll(batch, this.#deadline),
      maxBatch: 500,
      gather: () => Promise.resolve(),
    })
  }

  /**
   * Resolves when the broker has the message. One with limits of its own travels alone, and may overtake those that wait.
   * @throws PublishTimeoutError where it did not confirm in time: the message may or may not be there.
   * @throws ConnectionLostError where it could not be reached within the retry policy.
   */
  publish(publication: Publication, options?: PublishOptions): Promise<void> {
    const done = deferred()
    // The tag makes a repeated publish the same message, so that a retry after a lost answer does not duplicate it.
    const tagged = publication.tag === undefined ? { ...publication, tag: this.#newTag() } : publication
    const limits = options === undefined ? this.#limits : this.#limitsOf(options)
    const deadline = performance.now() + limits.timeoutMs
    const waiting = { publication: tagged, declare: options?.declare ?? nothing, done, deadline, limits }
    if (limits === this.#limits) this.#batcher.add(waiting)
    else this.#publishSingly(waiting)
    return done.promise
  }

  /** Resolves when nothing is waiting for a confirmation. */
  async idle(): Promise<void> {
    await Promise.all([this.#batcher.idle(), ...this.#single])
  }

  #limitsOf({ timeoutMs, retryPolicy }: PublishOptions): Limits {
    if (timeoutMs === undefined && retryPolicy === undefined) return this.#limits
    return {
      timeoutMs: timeoutMs ?? this.#limits.timeoutMs,
      retryPolicy: retryPolicy === undefined ? this.#limits.retryPolicy : (retryPolicy ?? undefined),
    }
  }

  /** Each message is told why by an error of its own: this one only ends what is under way. */
  #newDeadline({ timeoutMs }: Limits): Deadline {
    return new Deadline(() => new PublishTimeoutError(timeoutMs, undefined))
  }

  #publishSingly(waiting: Waiting): void {
    const deadline = this.#newDeadline(waiting.limits)
    const published = this.#publishAll([waiting], deadline).finally(() => {
      deadline.stop()
      this.#single.delete(published)
    })
    this.#single.add(published)
  }

  async #publishAll(batch: readonly Waiting[], deadline: Deadline): Promise<void> {
    const first = batch[0] as Waiting
    try {
      await this.#withRetries(batch, first.limits.retryPolicy, { signal: deadline.begin(first.deadline) })
      deadline.end()
      for (const { done } of batch) done.resolve()
    } catch (error) {
      deadline.end()
      if (CeleryError.is(error, timeoutCode)) {
        await this.#expire(batch, deadline)
      } else if (batch.length > 1 && !isTemporary(error)) {
        // One bad message must not fail the others. Those that are there already are known by their tags.
        for (const waiting of batch) await this.#publishAll([waiting], deadline)
      } else {
        for (const { done } of batch) done.reject(error)
      }
    }
  }

  /** The time of the first message is over. Those that came later still have theirs, and their tags keep them single. */
  async #expire(batch: readonly Waiting[], running: Deadline): Promise<void> {
    // It may go off up to a millisecond before its time.
    const now = Math.max(performance.now(), batch[0]?.deadline ?? 0)
    for (const { publication, done, deadline, limits } of batch) {
      if (deadline <= now) done.reject(new PublishTimeoutError(limits.timeoutMs, publication))
    }
    const later = batch.filter(({ deadline }) => deadline > now)
    if (later.length > 0) await this.#publishAll(later, running)
  }

  async #withRetries(
    batch: readonly Waiting[],
    policy: PublishRetryPolicy | undefined,
    options: AbortableOptions,
  ): Promise<void> {
    const publications = batch.map(({ publication }) => publication)
    for (let attempt = 0; ; attempt++) {
      try {
        const broker = this.#connection.live ?? (await this.#connection.broker(options))
        try {
          const isFresh = !this.#areDeclared(broker, batch) && (await this.#declare(broker, batch, options))
          try {
            await this.#publishOn(broker, publications, options)
          } catch (error) {
            if (!isNowhere(error)) throw error
            for (const { declare } of batch) this.#declarations.forget(broker, declare)
            // What was declared may have been deleted since, or lost with a restart of the broker.
            if (isFresh || !(await this.#declare(broker, batch, options))) throw error
            await this.#publishOn(broker, publications, options)
          }
          return
        } catch (error) {
          throw await this.#connection.failed(broker, error, options)
        }
      } catch (error) {
        options.signal?.throwIfAborted()
        if (policy === undefined || !(isTemporary(error) || policy.retryErrors?.(error))) throw error
        if (policy.maxRetries !== null && attempt >= policy.maxRetries) throw error
        const seconds = Math.min(policy.intervalStart + policy.intervalStep * attempt, policy.intervalMax)
        await sleep(seconds * 1_000, options)
      }
    }
  }

  #areDeclared(broker: BrokerConnection, batch: readonly Waiting[]): boolean {
    return batch.every(({ declare }) => this.#declarations.has(broker, declare))
  }

  /** Declares what this connection has not: the one before may have been to another broker. Says whether there was anything. */
  async #declare(broker: BrokerConnection, batch: readonly Waiting[], options: AbortableOptions): Promise<boolean> {
    const undeclared = batch.filter(({ declare }) => !this.#declarations.has(broker, declare))
    for (const { declare } of undeclared) {
      await abortable(this.#declarations.declare(broker, declare, options), options.signal)
    }
    return undeclared.length > 0
  }

  /** Bounded here too: it must not depend on a driver that listens. */
  async #publishOn(
    broker: BrokerConnection,
    publications: readonly Publication[],
    options: AbortableOptions,
  ): Promise<void> {
    const publishing = broker.publish(publications, options)
    try {
      await abortable(publishing, options.signal)
    } catch (error) {
      if (options.signal?.aborted === true) this.#expectEnd(broker, publishing)
      throw error
    }
  }

  #expectEnd(broker: BrokerConnection, publishing: Promise<void>): void {
    const discard = (): void => void this.#connection.discard(broker)
    const cancel = schedulePatiently(systemClock, this.#answerTimeoutMs, discard, { unref: true })
    publishing.then(cancel, cancel)
  }
}

const nothing: readonly never[] = []

/** Whether a message had no exchange to go through, or no queue to go to. */
function isNowhere(error: unknown): boolean {
  return CeleryError.is(error, 'ERR_CELERY_UNKNOWN_EXCHANGE') || CeleryError.is(error, 'ERR_CELERY_UNROUTABLE')
}

const timeoutCode = 'ERR_CELERY_PUBLISH_TIMEOUT'

/** The broker did not confirm in time. The message may or may not be there; sending it again may run it twice. */
export class PublishTimeoutError extends CeleryError {
  override readonly name = 'PublishTimeoutError'
  readonly code: typeof timeoutCode = timeoutCode
  readonly timeoutMs: number
  readonly exchange: string | undefined
  readonly routingKey: string | undefined

  constructor(timeoutMs: number, publication: Pick<Publication, 'exchange' | 'routingKey'> | undefined) {
    const target = publication === undefined ? '' : ` to ${publication.exchange || 'queue'} "${publication.routingKey}"`
    super(
      `the broker did not confirm the message${target} within ${timeoutMs} ms; is it reachable and accepting writes? The message may arrive all the same`,
    )
    this.timeoutMs = timeoutMs
    this.exchange = publication?.exchange
    this.routingKey = publication?.routingKey
  }
}
