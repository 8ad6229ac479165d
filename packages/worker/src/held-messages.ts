import type { ReceivedDelivery } from '@celery/messaging'
import type { Clock } from '@celery/promises'
import type { ActiveTask } from './active-task.ts'

/**
 * Messages that are the worker's and cannot go to the pool yet: their time has not come, or something has to be there first.
 * They take no slot, and go back to their queues when the worker stops.
 */
export class HeldMessages {
  readonly #clock: Clock
  /** Tasks, and how to stop waiting for them. */
  readonly #tasks = new Map<ActiveTask, () => void>()
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
    return [...Array.from(this.#tasks.keys(), ({ delivery }) => delivery), ...this.#preparing]
  }

  /** On a broker that cannot hold a message back until its time, it is held here, as Celery does. */
  untilTime(task: ActiveTask, delayMs: number, then: () => void): void {
    const cancel = this.#clock.schedule(delayMs, () => {
      this.#tasks.delete(task)
      then()
    })
    this.#tasks.set(task, cancel)
  }

  /** Resolves to what `answer` does, or to `undefined` where the task was given back meanwhile. */
  async untilAnswered<T>(task: ActiveTask, answer: Promise<T>): Promise<T | undefined> {
    this.#tasks.set(task, () => {})
    const value = await answer
    return this.#tasks.delete(task) ? value : undefined
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
