import type { BrokerConnection, DeliveryRef } from '@celery/transport'
import { LeaseKeeper } from './lease-keeper.ts'

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
  #keeper: LeaseKeeper | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: BrokerLeasesOptions) {
    this.#options = options
  }

  /** Keeps the leases of `broker`, and of no other. Resolves when it does. */
  async keep(broker: BrokerConnection): Promise<void> {
    await this.stop()
    if (!broker.capabilities.leases) return
    const { leaseMs, onError } = this.#options
    const spec = broker.leaseKeeper
    if (spec === undefined) {
      this.#timer = setInterval(() => this.#renew(broker), leaseMs / 3)
      return
    }
    const keeper = new LeaseKeeper({ spec, onError })
    this.#keeper = keeper
    await keeper.start()
  }

  /** Gives `delivery` up if it is still held after `expiresInMs`. */
  limit(delivery: DeliveryRef, expiresInMs: number): void {
    this.#keeper?.limit(delivery, expiresInMs)
  }

  /** Takes the limit away: the delivery is about to be settled. */
  unlimit(delivery: DeliveryRef): void {
    this.#keeper?.unlimit(delivery)
  }

  /** Safe twice. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    const keeper = this.#keeper
    this.#keeper = undefined
    await keeper?.stop()
  }

  #renew(broker: BrokerConnection): void {
    const held = this.#options.held()
    if (held.length === 0) return
    broker.renew(held).catch((error: unknown) => this.#options.onError(error as Error))
  }
}
