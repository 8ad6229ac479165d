import type { DeliveryRef } from '../broker-connection.ts'
import type { ListMessage } from './list-message.ts'

/** A message that was taken out of its list and is not settled. It lives in this process alone, unless the store has it too. */
export interface Held {
  readonly queue: string
  readonly place: string
  readonly message: ListMessage
  /** The connection that took it. */
  readonly owner: object
}

/** Who holds what. A fence is given once, so it tells a delivery from an earlier one of the same message. */
export class ListHolds {
  readonly #held = new Map<DeliveryRef['fence'], Held>()
  #lastFence = 0

  add(held: Held): DeliveryRef {
    const fence = ++this.#lastFence
    this.#held.set(fence, held)
    return { queue: held.queue, tag: held.message.tag, fence }
  }

  /** `undefined` for a delivery that is not held any more. */
  get({ queue, tag, fence }: DeliveryRef): Held | undefined {
    const held = this.#held.get(fence)
    return held?.queue === queue && held.message.tag === tag ? held : undefined
  }

  /** Ends a hold, for the one caller that is to settle it. */
  release(delivery: DeliveryRef): Held | undefined {
    const held = this.get(delivery)
    if (held !== undefined) this.#held.delete(delivery.fence)
    return held
  }

  /** The settlement has failed: the delivery is held as before. */
  restore(delivery: DeliveryRef, held: Held): void {
    this.#held.set(delivery.fence, held)
  }

  count(queue: string): number {
    return [...this.#held.values()].filter((held) => held.queue === queue).length
  }

  releaseOwned(owner: object): readonly Held[] {
    return this.#releaseAll((held) => held.owner === owner)
  }

  releaseQueue(queue: string): readonly Held[] {
    return this.#releaseAll((held) => held.queue === queue)
  }

  #releaseAll(matches: (held: Held) => boolean): readonly Held[] {
    const released: Held[] = []
    for (const [fence, held] of [...this.#held]) {
      if (!matches(held)) continue
      this.#held.delete(fence)
      released.push(held)
    }
    return released
  }
}
