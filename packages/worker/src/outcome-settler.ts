/**
 * Turns the life of a task into settlements, the only place that does:
 *
 * 1. early ack: the message is acknowledged when the task starts, and what came of it is written later;
 * 2. late ack: one settlement acknowledges the message and carries what came of it;
 * 3. in each, follow-up messages come first, then the result, then the acknowledgement. Where broker and store are one
 *    this is a single transaction that a stale owner cannot make; else the steps follow each other, and a crash in
 *    between repeats follow-ups with the same ids.
 */
import type { AtomicWrite, ResultBackend, ResultWrite } from '@celery/backend'
import type { PendingSettlement, Settler } from '@celery/messaging'
import type { DeliveryRef, Publication, SettleAction, SettleResult } from '@celery/transport'
import type { ResultStorer } from './result-storer.ts'

export interface OutcomeSettlerOptions {
  readonly settler: Settler
  readonly backend: ResultBackend | undefined
  readonly storer: ResultStorer | undefined
  /** The store refuses a record for good; gives the one to store instead. */
  readonly onRefused: (write: ResultWrite, error: unknown) => ResultWrite
  /** Of the broker: the backend's writes can join its transactions if the domains are equal. */
  readonly domain: string | undefined
}

/** What is left to do at the end of a task. */
export interface TaskEnd {
  /** Absent where the message was acknowledged early. */
  readonly delivery?: DeliveryRef | undefined
  readonly action?: SettleAction | undefined
  readonly publish?: readonly Publication[] | undefined
  readonly write?: ResultWrite | undefined
}

export class OutcomeSettler {
  readonly #settler: Settler
  readonly #backend: ResultBackend | undefined
  readonly #storer: ResultStorer | undefined
  readonly #joint: boolean
  readonly #onRefused: OutcomeSettlerOptions['onRefused']

  constructor(options: OutcomeSettlerOptions) {
    const { backend, domain } = options
    this.#settler = options.settler
    this.#backend = backend
    this.#storer = options.storer
    this.#onRefused = options.onRefused
    this.#joint = backend?.prepare !== undefined && domain !== undefined && backend.domain === domain
  }

  /** Early ack. The answer may be handed to `finish`, so that both can leave together. */
  acknowledge(delivery: DeliveryRef, onSettled: (result: SettleResult) => void): PendingSettlement {
    return this.#settler.add({ delivery }, onSettled)
  }

  /** Does what is left; `acknowledged` is an early ack of the same message that may still be on its way. */
  finish(end: TaskEnd, acknowledged: PendingSettlement | undefined, onSettled: (result: SettleResult) => void): void {
    const { delivery, action, publish, write } = end
    if (this.#joint || write === undefined) {
      const writes = write === undefined ? undefined : this.#prepare(write)
      const rest = {
        ...(publish === undefined ? undefined : { publish }),
        ...(writes === undefined ? undefined : { writes }),
      }
      if (acknowledged !== undefined && !acknowledged.sent) {
        acknowledged.settlement = { ...acknowledged.settlement, ...rest }
      } else if (delivery !== undefined || publish !== undefined || writes !== undefined) {
        this.#settler.add(
          {
            ...(delivery === undefined ? undefined : { delivery }),
            ...(action === undefined ? undefined : { action }),
            ...rest,
          },
          onSettled,
        )
      }
      return
    }
    const store = (): void => this.#storer?.add(write, settle)
    const settle = (): void => {
      if (delivery === undefined) return
      this.#settler.add({ delivery, ...(action === undefined ? undefined : { action }) }, onSettled)
    }
    if (publish === undefined) store()
    else this.#settler.add({ publish }, store)
  }

  /** A record that the store refuses is replaced by one that says so. */
  #prepare(write: ResultWrite): readonly AtomicWrite[] | undefined {
    try {
      return this.#backend?.prepare?.([write])
    } catch (error) {
      return this.#backend?.prepare?.([this.#onRefused(write, error)])
    }
  }
}
