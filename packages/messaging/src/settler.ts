import { type Clock, sleep, unlessAborted } from '@celery/promises'
import { deliveryTags, type Settlement, type SettleResult } from '@celery/transport'
import { Batcher } from './batcher.ts'
import type { Connection } from './connection.ts'
import { retryPauseMs } from './retry-pause.ts'
import { isConnectionLost, isTemporary } from './temporary-errors.ts'

export interface SettlerOptions<About> {
  readonly connection: Connection
  /** A batch failed and will be tried again. */
  readonly onError: (error: unknown) => void
  /** A batch leaves now. A broker that can takes what is asked of it in the same turn into one transaction. */
  readonly onLeave?: (() => void) | undefined
  /** The broker refuses this settlement for good: what it publishes cannot be routed, for example. It was left undone. */
  readonly onRefused: (refused: PendingSettlement<About>, error: unknown) => void
  /** Whose time passes between two attempts. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

/** A settlement on its way. Until it is `sent`, its `settlement` may be replaced by a fuller one. */
export interface PendingSettlement<About = unknown> {
  settlement: Settlement
  /** What its owner wants to know again if it is refused. */
  about: About | undefined
  sent: boolean
  /** Called with the broker's answer; not called when the settler is closed before that. */
  readonly onSettled: ((result: SettleResult) => void) | undefined
}

/**
 * Settles deliveries in batches: whatever comes in one turn of the event loop, or while a batch is under way, leaves
 * as the next one. A batch that fails is repeated, less and less often (at most every 1.5 s), until it succeeds or the
 * settler is closed; the fence makes that safe.
 */
export class Settler<About = unknown> {
  readonly #options: SettlerOptions<About>
  readonly #closing = new AbortController()
  readonly #newTag = deliveryTags()
  readonly #batcher: Batcher<PendingSettlement<About>>
  #unsettled = 0

  constructor(options: SettlerOptions<About>) {
    this.#options = options
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

  /** Resolves when the broker has answered everything. */
  async idle(): Promise<void> {
    await this.#batcher.idle()
  }

  /** Gives up what is not settled within `graceMs`; resolves to how many settlements that were. Safe twice. */
  async close(graceMs: number): Promise<number> {
    const timer = setTimeout(() => this.#closing.abort(closed), graceMs)
    await this.#batcher.idle()
    clearTimeout(timer)
    this.#closing.abort(closed)
    return this.#unsettled
  }

  async #settle(batch: readonly PendingSettlement<About>[]): Promise<void> {
    for (const entry of batch) {
      entry.sent = true
      entry.settlement = repeatable(entry.settlement, this.#newTag)
    }
    const { signal } = this.#closing
    for (let retries = 0; !signal.aborted; retries++) {
      try {
        const broker = await this.#options.connection.untilBroker({ signal })
        try {
          const results = await broker.settle(
            batch.map((entry) => entry.settlement),
            { signal },
          )
          for (let index = 0; index < batch.length; index++) batch[index]?.onSettled?.(results[index] ?? 'stale')
          return
        } catch (error) {
          if (isConnectionLost(error)) await this.#options.connection.discard(broker)
          throw error
        }
      } catch (error) {
        if (signal.aborted) break
        if (isTemporary(error)) {
          this.#options.onError(error)
          await sleep(retryPauseMs(retries), { signal, clock: this.#options.clock }).catch(unlessAborted(signal))
        } else {
          await this.#refuse(batch, error)
          return
        }
      }
    }
    this.#unsettled += batch.length
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

const closed = new Error('the settler was closed')
