import type { Clock } from '@celery/promises'
import { type BrokerConnection, deliveryTags, type Settlement, type SettleResult } from '@celery/transport'
import { Attempts } from './attempts.ts'
import { Batcher } from './batcher.ts'
import type { Connection } from './connection.ts'
import { answered } from './no-answer.ts'
import { isConnectionClosed, isConnectionLost, isTemporary } from './temporary-errors.ts'

export interface SettlerOptions<About> {
  readonly connection: Connection
  /** The broker cannot be reached, or a batch failed; it is tried again unless the connection was closed by its owner. */
  readonly onError: (error: unknown) => void
  /** A batch leaves now. A broker that can takes what is asked of it in the same turn into one transaction. */
  readonly onLeave?: (() => void) | undefined
  /** The broker refuses this settlement for good: what it publishes cannot be routed, for example. It was left undone. */
  readonly onRefused: (refused: PendingSettlement<About>, error: unknown) => void
  /**
   * No answer will ever come: the settler was closed before, or the connection by its owner. The settlement may or may not
   * have taken effect. Must not throw.
   */
  readonly onGivenUp?: ((givenUp: PendingSettlement<About>) => void) | undefined
  /** Milliseconds without an answer after which the connection counts as lost, and the batch is repeated. @defaultValue `30_000` */
  readonly answerTimeoutMs?: number | undefined
  /** Whose time passes between two attempts, and until the end of the grace. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

/** A settlement on its way. Until it is `sent`, its `settlement` may be replaced by a fuller one. */
export interface PendingSettlement<About = unknown> {
  settlement: Settlement
  /** What its owner wants to know again if it is refused or given up. */
  about: About | undefined
  sent: boolean
  /** Called with the broker's answer; not called where none comes, see `onRefused` and `onGivenUp`. Must not throw. */
  readonly onSettled: ((result: SettleResult) => void) | undefined
}

/**
 * Settles deliveries in batches: whatever comes in one turn of the event loop, or while a batch is under way, leaves
 * as the next one. A batch that fails is repeated, less and less often (at most every 1.5 s), until it succeeds or the
 * settler is closed; the fence makes that safe. Only what the broker itself refuses is given up before.
 */
export class Settler<About = unknown> {
  readonly #options: SettlerOptions<About>
  readonly #attempts: Attempts
  readonly #newTag = deliveryTags()
  readonly #batcher: Batcher<PendingSettlement<About>>
  #unsettled = 0
  #isSilent = false

  constructor(options: SettlerOptions<About>) {
    this.#options = options
    this.#attempts = new Attempts(options.clock)
    this.#batcher = new Batcher({ run: (batch) => this.#settle(batch), linger: 8, onLeave: options.onLeave })
  }

  add(
    settlement: Settlement,
    onSettled?: (result: SettleResult) => void,
    about?: About | undefined,
  ): PendingSettlement<About> {
    const pending: PendingSettlement<About> = { settlement, about, sent: false, onSettled }
    this.#batcher.add(pending)
    return pending
  }

  /** Settlements that the broker has not answered yet. */
  get pending(): number {
    return this.#batcher.pending
  }

  /** Whether the last attempt had no answer, or has none yet; one that says no is an answer. */
  get isSilent(): boolean {
    return this.#isSilent
  }

  /** Resolves when the broker has answered everything. */
  async idle(): Promise<void> {
    await this.#batcher.idle()
  }

  /** Tries at once what has failed, and again and again for `graceMs`. What is not settled until then is given up. */
  hurry(graceMs: number): void {
    this.#attempts.hurry(graceMs)
  }

  /** As `hurry`, and nothing may be added any more; resolves to how many settlements were given up. Safe twice. */
  async close(graceMs: number): Promise<number> {
    this.hurry(graceMs)
    await this.#batcher.idle()
    this.#attempts.end()
    return this.#unsettled
  }

  async #settle(batch: readonly PendingSettlement<About>[]): Promise<void> {
    for (const entry of batch) {
      entry.sent = true
      entry.settlement = repeatable(entry.settlement, this.#newTag)
    }
    const { connection, onError } = this.#options
    for await (const signal of this.#attempts.each()) {
      this.#isSilent = true
      let broker: BrokerConnection
      try {
        broker = await connection.broker({ signal })
      } catch (error) {
        if (signal.aborted) break
        onError(error)
        // No attempt will ever find another one.
        if (isConnectionClosed(error)) break
        continue
      }
      let results: readonly SettleResult[]
      try {
        const settlements = batch.map((entry) => entry.settlement)
        // A driver that is deaf to the signal must not hold up the stop.
        results = await answered('a settlement', broker.settle(settlements, { signal }), {
          address: connection.address,
          timeoutMs: this.#options.answerTimeoutMs,
          signal,
        })
      } catch (error) {
        if (signal.aborted) break
        // Closed: whoever else uses the connection has discarded it meanwhile.
        const isGone = isConnectionLost(error) || isConnectionClosed(error)
        this.#isSilent = isGone
        if (!isGone && !isTemporary(error)) return this.#refuse(batch, error)
        onError(error)
        if (isGone) await connection.discard(broker, { signal })
        continue
      }
      this.#isSilent = false
      for (let index = 0; index < batch.length; index++) batch[index]?.onSettled?.(results[index] ?? 'stale')
      return
    }
    this.#unsettled += batch.length
    for (const entry of batch) this.#options.onGivenUp?.(entry)
  }

  /**
   * One settlement that the broker refuses must not keep the others. Nothing of the batch happened; where the error
   * says which one it was the rest is repeated at once, else each singly.
   */
  async #refuse(batch: readonly PendingSettlement<About>[], error: unknown): Promise<void> {
    const index = batch.length === 1 ? 0 : refusedIndex(error)
    const refused = index === undefined ? undefined : batch[index]
    if (refused === undefined) {
      for (const entry of batch) await this.#settle([entry])
      return
    }
    this.#options.onRefused(refused, error)
    const others = batch.filter((entry) => entry !== refused)
    if (others.length > 0) await this.#settle(others)
  }
}

/** Where there is no delivery whose fence refuses a repetition, tags keep what it publishes from being there twice. */
function repeatable(settlement: Settlement, newTag: () => string): Settlement {
  const { delivery, publish } = settlement
  if (delivery !== undefined || publish === undefined) return settlement
  return { ...settlement, publish: publish.map((publication) => ({ tag: newTag(), ...publication })) }
}

/** Of `UnknownExchangeError` and `UnroutableError`. */
function refusedIndex(error: unknown): number | undefined {
  const index = typeof error === 'object' && error !== null && 'index' in error ? error.index : undefined
  return typeof index === 'number' ? index : undefined
}
