/**
 * Turns the life of a task into settlements, the only place that does:
 *
 * 1. early ack: the message is acknowledged when the task starts, and what came of it is written later;
 * 2. late ack: one settlement acknowledges the message and carries what came of it;
 * 3. where broker and store are one, the result, the follow-up messages and the acknowledgement are one transaction that
 *    a stale owner cannot make; else the result is stored first, and then the acknowledgement and the follow-ups leave
 *    together. A crash in between runs the task again, which stores nothing new and sends the same ids.
 */
import { recordsOf } from '@celery/app/internal'
import type { AtomicWrite, ResultBackend, ResultWrite } from '@celery/backend'
import type { PendingSettlement, Settler } from '@celery/messaging'
import { CeleryError } from '@celery/promises'
import type { DeliveryRef, Publication, SettleAction, Settlement, SettleResult } from '@celery/transport'
import type { ResultStorer } from './result-storer.ts'

export interface OutcomeSettlerOptions {
  readonly settler: Settler<RefusableEnd>
  readonly backend: ResultBackend | undefined
  readonly storer: ResultStorer | undefined
  /** The store refuses a record for good; gives the record to store instead. */
  readonly onRefused: (write: ResultWrite, error: unknown) => ResultWrite
  /** The broker refuses what is to be sent or settled together with a record; gives the record to store instead. */
  readonly onUnsettled: (write: ResultWrite, error: unknown) => ResultWrite
  /** The broker refuses messages for good; gives the records of the tasks that nobody is going to run now. */
  readonly onUnsent: (publications: readonly Publication[], error: unknown) => readonly ResultWrite[]
  /**
   * The broker refuses even to bury this message. Nothing else can be done for it here, so its lease must end, though
   * the connection lives.
   */
  readonly onAbandoned: (delivery: DeliveryRef) => void
  /**
   * Of the broker that is there now, which may be another one after a failover: the backend's writes can join its
   * transactions if the domains are equal.
   */
  readonly domain: () => string | undefined
}

/** What is left to do at the end of a task. */
export interface TaskEnd {
  /** What ended, for the log. */
  readonly task?: { readonly title: string } | undefined
  /** Absent where the message was acknowledged early. */
  readonly delivery?: DeliveryRef | undefined
  readonly action?: SettleAction | undefined
  readonly publish?: readonly Publication[] | undefined
  readonly write?: ResultWrite | undefined
  /** Records of tasks that are not going to run, because this one did not succeed. */
  readonly unreached?: readonly ResultWrite[] | undefined
}

type OnSettled = (result: SettleResult) => void

/** What a settlement was to bring about: known again if the broker refuses it. */
export interface RefusableEnd {
  readonly end: TaskEnd
  readonly onSettled: OnSettled
}

export class OutcomeSettler {
  readonly #settler: Settler<RefusableEnd>
  readonly #backend: ResultBackend | undefined
  readonly #storer: ResultStorer | undefined
  readonly #domain: () => string | undefined
  readonly #onRefused: OutcomeSettlerOptions['onRefused']
  readonly #onUnsettled: OutcomeSettlerOptions['onUnsettled']
  readonly #onUnsent: OutcomeSettlerOptions['onUnsent']
  readonly #onAbandoned: OutcomeSettlerOptions['onAbandoned']
  readonly #unstored = new Set<DeliveryRef>()
  #closed = false

  constructor(options: OutcomeSettlerOptions) {
    this.#settler = options.settler
    this.#backend = options.backend
    this.#domain = options.domain
    this.#storer = options.storer
    this.#onRefused = options.onRefused
    this.#onUnsettled = options.onUnsettled
    this.#onUnsent = options.onUnsent
    this.#onAbandoned = options.onAbandoned
  }

  /** Early ack. The answer may be handed to `finish`, so that both can leave together. */
  acknowledge(delivery: DeliveryRef, onSettled: OnSettled): PendingSettlement<RefusableEnd> {
    return this.#settler.add({ delivery }, onSettled)
  }

  /** Does what is left; `acknowledged` is an early ack of the same message that may still be on its way. */
  finish(end: TaskEnd, acknowledged: PendingSettlement<RefusableEnd> | undefined, onSettled: OnSettled): void {
    // The broker and the store are gone: its message comes again.
    if (this.#closed) return
    const { delivery, action, publish } = end
    // Where nothing keeps results there is nobody to wait for them.
    const found = this.#backend === undefined ? [] : recordsOf(end)
    const records = found.length === 0 ? undefined : found
    if (records === undefined && publish === undefined) {
      // Most tasks, where nobody asks for results: there is the message alone, or not even that.
      if (delivery !== undefined) this.#settler.add(settlementOf({ delivery, action }), onSettled)
      return
    }
    const about: RefusableEnd = { end, onSettled }
    if (records === undefined || this.#isJoint()) {
      const writes = records === undefined ? undefined : this.#prepare(records)
      if (acknowledged !== undefined && !acknowledged.sent) {
        acknowledged.settlement = settlementOf({ delivery: acknowledged.settlement.delivery, publish, writes })
        acknowledged.about = about
      } else {
        this.#settler.add(settlementOf({ delivery, action, publish, writes }), onSettled, about)
      }
      return
    }
    this.#finishApart(about, records)
  }

  /** The result first, and then what the broker is told. */
  #finishApart(about: RefusableEnd, records: readonly ResultWrite[]): void {
    const { end, onSettled } = about
    const { action, delivery, publish } = end
    if (delivery !== undefined) {
      // Fenced by the delivery, so that a worker which was paused past its lease neither acknowledges nor sends what
      // somebody else has sent meanwhile. A crash before it only runs the task again.
      const settlement = settlementOf({ delivery, action, publish })
      const { unreached = [], write } = end
      // Only once nobody else has the task: one that runs it may be about to send the steps after it.
      const settled = (result: SettleResult): void => {
        if (result === 'done') this.#store(unreached, () => {})
        onSettled(result)
      }
      this.#unstored.add(delivery)
      this.#store(write === undefined ? [] : [write], () => {
        this.#unstored.delete(delivery)
        this.#settler.add(settlement, settled, publish && about)
      })
    } else if (publish === undefined) {
      this.#store(records, () => {})
    } else {
      this.#settler.add({ publish }, () => this.#store(records, () => {}), about)
    }
  }

  /**
   * The broker refuses a settlement for good, mostly because a follow-up has nowhere to go. Nothing of it happened, and
   * it must neither stay undone nor be forgotten: the task fails, and its message goes to the dead letters.
   */
  refused(refused: PendingSettlement<RefusableEnd>, error: unknown): void {
    const { settlement, about } = refused
    if (about !== undefined && CeleryError.is(error, 'ERR_CELERY_FOREIGN_WRITE')) {
      this.#repeatApart(settlement, about)
      return
    }
    const delivery = settlement.delivery ?? about?.end.delivery
    const { action } = settlement
    const { publish, unreached = [], write } = about?.end ?? {}
    const onSettled = about?.onSettled ?? (() => {})
    const dead = { type: 'dead', reason: error instanceof Error ? error.message : String(error) } as const
    if (action?.type !== 'dead') {
      const record = write && this.#onUnsettled(write, error)
      const end = { delivery, action: dead, write: record, unreached: this.#alsoUnsent(about?.end, error) }
      this.finish(end, undefined, onSettled)
    } else if (publish !== undefined) {
      // It has failed already, and stays what it is.
      this.finish({ delivery, action, write, unreached: this.#alsoUnsent(about?.end, error) }, undefined, onSettled)
    } else if (write !== undefined || unreached.length > 0) {
      // Without the records, and then these by themselves: the message is worth more than the word of its failure.
      this.finish({ delivery, action: dead }, undefined, (result) => {
        if (result === 'done') this.#store(recordsOf({ unreached, write }), () => {})
        onSettled(result)
      })
    } else if (delivery !== undefined) {
      // The dead letters themselves are refused, also with nothing beside them: there is nothing left to try.
      this.#onAbandoned(delivery)
    }
  }

  /** It was prepared for a broker that shares its transactions with the store, and another one has taken its place. */
  #repeatApart({ delivery }: Settlement, about: RefusableEnd): void {
    // An early ack that had not left yet.
    if (about.end.delivery === undefined && delivery !== undefined) this.#settler.add({ delivery }, about.onSettled)
    this.#finishApart(about, recordsOf(about.end))
  }

  /** Whether the writes of a result can be part of a settlement now. */
  #isJoint(): boolean {
    const { domain, prepare } = this.#backend ?? {}
    return prepare !== undefined && domain !== undefined && domain === this.#domain()
  }

  /** Records of all that does not run because what was to be sent was refused. */
  #alsoUnsent({ publish = [], unreached = [], write }: TaskEnd = {}, error: unknown): readonly ResultWrite[] {
    // The next run of a task is the task itself.
    return [...unreached, ...this.#onUnsent(publish, error)].filter(({ taskId }) => taskId !== write?.taskId)
  }

  /** What is not settled or stored yet. */
  get pending(): number {
    return this.#settler.pending + (this.#storer?.pending ?? 0)
  }

  /** Deliveries whose tasks have ended and whose results the store does not have yet: still ours. */
  get unstored(): Iterable<DeliveryRef> {
    return this.#unstored
  }

  /** How many tasks may bring results before too many wait for the store; `window` are held at most. */
  storeRoom(window: number): number {
    return this.#storer?.room(window) ?? Infinity
  }

  /** Whether the broker left the last attempt to settle without an answer. */
  get isBrokerSilent(): boolean {
    return this.#settler.isSilent
  }

  /** Why the store takes no results at present; `undefined` where it does. */
  get storeTrouble(): string | undefined {
    return this.#storer?.trouble
  }

  /** Resolves when everything is settled and stored. */
  async idle(): Promise<void> {
    // A stored result can still bring a settlement with it, and a settled follow-up a result.
    while (this.pending > 0) await Promise.all([this.#settler.idle(), this.#storer?.idle()])
  }

  /**
   * Resolves when everything is settled and stored, or after `graceMs`, with how much was given up. What is finished
   * afterwards is dropped. Safe twice.
   */
  async close(graceMs: number): Promise<{ readonly settlements: number; readonly results: number }> {
    this.#settler.hurry(graceMs)
    this.#storer?.hurry(graceMs)
    await this.idle()
    this.#closed = true
    const results = (await this.#storer?.close(0)) ?? 0
    return { settlements: await this.#settler.close(0), results }
  }

  /** Together: they are added to one batch. */
  #store(records: readonly ResultWrite[], onStored: () => void): void {
    if (records.length === 0) onStored()
    let left = records.length
    const stored = (): void => {
      left--
      if (left === 0) onStored()
    }
    for (const record of records) this.#storer?.add(record, stored)
  }

  /** A record that the store refuses is replaced by one that says so. */
  #prepare(records: readonly ResultWrite[]): readonly AtomicWrite[] {
    const prepare = (writes: readonly ResultWrite[]): readonly AtomicWrite[] => this.#backend?.prepare?.(writes) ?? []
    try {
      return prepare(records)
    } catch (error) {
      const [only] = records
      if (records.length === 1 && only !== undefined) return prepare([this.#onRefused(only, error)])
      return records.flatMap((record) => this.#prepare([record]))
    }
  }
}

/** A settlement without the parts that are not there. Not spread together: one is made for every task. */
function settlementOf({ action, delivery, publish, writes }: SettlementParts): Settlement {
  const settlement: { -readonly [Part in keyof Settlement]: Settlement[Part] } = {}
  if (delivery !== undefined) settlement.delivery = delivery
  if (action !== undefined) settlement.action = action
  if (publish !== undefined) settlement.publish = publish
  if (writes !== undefined) settlement.writes = writes
  return settlement
}

type SettlementParts = { readonly [Part in keyof Settlement]: Settlement[Part] | undefined }
