import { isDeepStrictEqual } from 'node:util'
import { type Deferred, deferred } from '@celery/promises'
import type { BrokerConnection, DeliveryRef } from '@celery/transport'
import { LeaseKeeper } from './lease-keeper.ts'
import { LeaseLimits } from './lease-limits.ts'

export interface BrokerLeasesOptions {
  readonly leaseMs: number
  /** What is held now. */
  readonly held: () => readonly DeliveryRef[]
  readonly onError: (error: Error) => void
}

/**
 * Keeps a worker's deliveries its own: from a thread where the broker can be reached from one, else from here. After a
 * reconnect deliveries belong to another connection, so `keep` is called again.
 */
export class BrokerLeases {
  readonly #options: BrokerLeasesOptions
  /** A keeper that takes the place of another one must know them too. */
  readonly #limits = new LeaseLimits()
  #keeper: LeaseKeeper | undefined
  /** Keepers that were told to end. */
  readonly #ending = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  /** Changes follow each other: one keeper at a time is asked to begin, and the last one asked for stays. */
  #changing: Promise<unknown> = Promise.resolve()
  /** How many changes were asked for. All but the last are out of date. */
  #asked = 0
  /** Ends the wait for a keeper to begin, as nobody wants it any more. */
  #outdated: Deferred<void> = deferred()
  #stopped = false

  constructor(options: BrokerLeasesOptions) {
    this.#options = options
  }

  /**
   * Keeps the leases of `broker`, and of no other; a keeper that does goes on, where deliveries outlive their connection. Resolves when it does, or when it is told meanwhile to keep those of
   * another or to stop; where that fails at first it goes on trying until then.
   */
  keep(broker: BrokerConnection): Promise<void> {
    const keep = async (outdated: Promise<void>): Promise<void> => {
      if (this.#stopped || !broker.capabilities.leases) return
      const { leaseMs, onError } = this.#options
      const spec = broker.leaseKeeper
      if (spec === undefined) {
        this.#timer = setInterval(() => this.#renew(broker), leaseMs / 3)
        return
      }
      this.#keeper = new LeaseKeeper({ spec, onError, limits: this.#limits })
      // It may never begin: the file of its broker may be locked, or moved away.
      await Promise.race([this.#keeper.start(), outdated])
    }
    return this.#change(keep, () => isKeptBy(this.#keeper, broker))
  }

  /** Gives `delivery` up if it is still held after `expiresInMs`. */
  limit(delivery: DeliveryRef, expiresInMs: number): void {
    if (this.#keeper === undefined) this.#limits.set(delivery, expiresInMs)
    else this.#keeper.limit(delivery, expiresInMs)
  }

  /** Takes the limit away: the delivery is about to be settled. */
  unlimit(delivery: DeliveryRef): void {
    if (this.#keeper === undefined) this.#limits.delete(delivery)
    else this.#keeper.unlimit(delivery)
  }

  /** Resolves when no keeper is left, or at most one that cannot end now. Safe twice. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#change(async () => {})
    await Promise.all(this.#ending)
  }

  /** Ends what was kept and then calls `run`, unless the next change was asked for meanwhile, or nothing need change. */
  #change(run: (outdated: Promise<void>) => Promise<void>, isAsIs = (): boolean => false): Promise<void> {
    this.#outdated.resolve()
    const outdated = deferred()
    this.#outdated = outdated
    const asked = ++this.#asked
    const changed = this.#changing.then(async () => {
      if (asked === this.#asked && isAsIs()) return
      this.#end()
      if (asked === this.#asked) await run(outdated.promise)
    })
    this.#changing = changed.catch(() => {})
    return changed
  }

  /** Not waited for: what the next keeper keeps must not lose its lease because the last one takes its time. */
  #end(): void {
    clearInterval(this.#timer)
    const ending = this.#keeper?.stop()
    this.#keeper = undefined
    if (ending === undefined) return
    this.#ending.add(ending)
    void ending.then(() => this.#ending.delete(ending))
  }

  #renew(broker: BrokerConnection): void {
    const held = this.#options.held()
    if (held.length === 0) return
    broker.renew(held).catch((error: unknown) => this.#options.onError(error as Error))
  }
}

/** The keeper of a session has a connection of its own, and needs no other one because ours is. */
function isKeptBy(keeper: LeaseKeeper | undefined, { capabilities, leaseKeeper }: BrokerConnection): boolean {
  if (keeper === undefined || leaseKeeper === undefined || capabilities.sessions !== true) return false
  const { data, module } = keeper.spec
  return module.href === leaseKeeper.module.href && isDeepStrictEqual(data, leaseKeeper.data)
}
