import type { DeliveryRef } from '@celery/transport'

interface Limit {
  readonly delivery: DeliveryRef
  /** On the monotonic clock. */
  readonly expiresAt: number
}

/** Which delivery: the same message may come again while its first run here has not ended, as one of another fence. */
export function limitKey({ fence, queue, tag }: DeliveryRef): string {
  return JSON.stringify([queue, tag, fence])
}

/** Until when deliveries are to be renewed. Outlives the keepers that are told of it: each must know all of them. */
export class LeaseLimits {
  readonly #limits = new Map<string, Limit>()

  set(delivery: DeliveryRef, expiresInMs: number): void {
    this.#limits.set(limitKey(delivery), { delivery, expiresAt: performance.now() + expiresInMs })
  }

  delete(delivery: DeliveryRef): void {
    this.#limits.delete(limitKey(delivery))
  }

  /** With the milliseconds that are left to each, 0 where its time is over. */
  *left(): Iterable<{ readonly delivery: DeliveryRef; readonly expiresInMs: number }> {
    const now = performance.now()
    for (const { delivery, expiresAt } of this.#limits.values()) {
      yield { delivery, expiresInMs: Math.max(0, expiresAt - now) }
    }
  }
}
