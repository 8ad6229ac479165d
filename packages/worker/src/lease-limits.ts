import type { DeliveryRef } from '@celery/transport'

interface Limit {
  readonly delivery: DeliveryRef
  /** On the monotonic clock. */
  readonly expiresAt: number
}

/** Until when deliveries are to be renewed. Outlives the keepers that are told of it: each must know all of them. */
export class LeaseLimits {
  readonly #limits = new Map<string, Limit>()

  set(delivery: DeliveryRef, expiresInMs: number): void {
    this.#limits.set(delivery.tag, { delivery, expiresAt: performance.now() + expiresInMs })
  }

  delete(tag: string): void {
    this.#limits.delete(tag)
  }

  /** With the milliseconds that are left to each, 0 where its time is over. */
  *left(): Iterable<{ readonly delivery: DeliveryRef; readonly expiresInMs: number }> {
    const now = performance.now()
    for (const { delivery, expiresAt } of this.#limits.values()) {
      yield { delivery, expiresInMs: Math.max(0, expiresAt - now) }
    }
  }
}
