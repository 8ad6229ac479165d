import { abortable, deferred } from '@celery/promises'
import { ListQueues } from './list-queues.ts'
import type { ListStore } from './list-store.ts'

/** What the connections of one process to one store share: its queues, and the news of them. */
export class ListBroker {
  readonly queues: ListQueues
  readonly #store: ListStore
  readonly #pollMs: number | undefined
  readonly #connections = new Set<object>()
  #watch: Disposable | undefined
  #changed = deferred()

  /** @param pollMs - How often a store that does not watch is asked again; `undefined` where nobody else puts anything. */
  constructor(store: ListStore, pollMs: number | undefined) {
    this.queues = new ListQueues(store, () => this.#notify())
    this.#store = store
    this.#pollMs = pollMs
  }

  /** The first connection begins to watch the store. */
  join(connection: object): void {
    this.#connections.add(connection)
    this.#watch ??= this.#store.watch?.(() => this.#notify())
  }

  /** The last one to leave closes it. */
  async leave(connection: object): Promise<void> {
    if (!this.#connections.delete(connection) || this.#connections.size > 0) return
    this.#watch?.[Symbol.dispose]()
    this.#watch = undefined
    await this.#store.close?.()
  }

  /** Resolves when something was put. Ask before looking for messages, so that none comes in between. */
  changed(): Promise<void> {
    return this.#changed.promise
  }

  /** Waits for `changed`, or until it is time to ask a store that tells nothing. */
  async wait(changed: Promise<void>, signal: AbortSignal): Promise<void> {
    const isTold = this.#watch !== undefined || this.#pollMs === undefined
    const timer = isTold ? undefined : setTimeout(() => this.#notify(), this.#pollMs)
    try {
      await abortable(changed, signal)
    } finally {
      clearTimeout(timer)
    }
  }

  #notify(): void {
    this.#changed.resolve()
    this.#changed = deferred()
  }
}
