import type { ReceivedDelivery } from '@celery/messaging'
import type { Clock } from '@celery/promises'

/**
 * Messages that are the worker's and cannot go to the pool yet: their time has not come, or something has to be there first.
 * They take no slot, and go back to their queues when the worker stops.
 */
export class HeldMessages {
  readonly #clock: Clock
  /** Messages of tasks, and how to stop waiting for them. */
  readonly #tasks = new Map<ReceivedDelivery, () => void>()
  /** Messages that something is loaded for. */
  readonly #preparing = new Set<ReceivedDelivery>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Tasks that wait here. */
  get tasks(): number {
    return this.#tasks.size
  }

  /** Messages that will go on in a moment. */
  get preparing(): number {
    return this.#preparing.size
  }

  get deliveries(): readonly ReceivedDelivery[] {
    return [...this.#tasks.keys(), ...this.#preparing]
  }

  /** On a broker that cannot hold a message back until its time, it is held here, as Celery does. */
  untilTime(delivery: ReceivedDelivery, delayMs: number, then: () => void): void {
    const cancel = this.#clock.schedule(delayMs, () => {
      this.#tasks.delete(delivery)
      then()
    })
    this.#tasks.set(delivery, cancel)
  }

  /** Resolves to what `answer` does, or to `undefined` where the message was given back meanwhile. */
  async untilAnswered<T>(delivery: ReceivedDelivery, answer: Promise<T>): Promise<T | undefined> {
    this.#tasks.set(delivery, () => {})
    const value = await answer
    return this.#tasks.delete(delivery) ? value : undefined
  }

  /** Calls `then` when what the message needs is there, unless it was given back meanwhile. `needed` never rejects. */
  async whilePreparing<T>(delivery: ReceivedDelivery, needed: Promise<T>, then: (value: T) => void): Promise<void> {
    this.#preparing.add(delivery)
    const value = await needed
    if (this.#preparing.delete(delivery)) then(value)
  }

  /** Gives up all of them and returns them. */
  release(): readonly ReceivedDelivery[] {
    const { deliveries } = this
    for (const cancel of this.#tasks.values()) cancel()
    this.#tasks.clear()
    this.#preparing.clear()
    return deliveries
  }
}
