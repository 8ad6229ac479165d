import type { MessageReader, TraceInput } from '@celery/app/internal'
import type { ResultBackend } from '@celery/backend'
import { RecentlyUsed } from '@celery/promises'

/** Ids that are remembered, as many as Celery's `successful_requests`. */
const mostIds = 1_000

/**
 * Which tasks have succeeded already: those that this worker saw, and those of which the result store says so. For messages
 * that come a second time because their acknowledgement was lost.
 */
export class CompletedTasks {
  readonly #ids = new RecentlyUsed<true>(mostIds)
  readonly #backend: () => Promise<ResultBackend>

  constructor(backend: () => Promise<ResultBackend>) {
    this.#backend = backend
  }

  add(id: string): void {
    this.#ids.set(id, true)
  }

  /** @throws what the store throws where it cannot be asked */
  async has(id: string): Promise<boolean> {
    if (this.#ids.has(id)) return true
    const records = await (await this.#backend()).fetch([id])
    if (records.get(id)?.state !== 'SUCCESS') return false
    this.add(id)
    return true
  }
}

/**
 * Whether nothing is sent after the success of a task. Of one that calls others back it is not enough to know that it has
 * succeeded: its result is stored before they are called. It has to run again, and calls them by the same ids.
 */
export function endsAlone(input: TraceInput, messages: Pick<MessageReader, 'readTask'>): boolean {
  try {
    const { callbacks, chain, chord } = messages.readTask(input).embed
    return callbacks === null && chain === null && chord === null
  } catch {
    // What is wrong with it is said where it runs.
    return false
  }
}
