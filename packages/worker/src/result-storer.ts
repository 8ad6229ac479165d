import type { ResultBackend, ResultWrite } from '@celery/backend'
import { Batcher } from '@celery/messaging'
import { CeleryError, sleep } from '@celery/promises'

export interface ResultStorerOptions {
  readonly backend: ResultBackend
  /** A batch failed and will be tried again. */
  readonly onError: (error: unknown) => void
  /** The store refuses this record for good: it is too large, for example. */
  readonly onRefused: (write: ResultWrite, error: unknown) => void
}

interface Waiting {
  readonly write: ResultWrite
  readonly onStored: () => void
}

/**
 * Stores results in batches, and again until the store has them: a task that is acknowledged late is not settled
 * before its result is kept.
 */
export class ResultStorer {
  readonly #options: ResultStorerOptions
  readonly #closing = new AbortController()
  readonly #batcher: Batcher<Waiting>

  constructor(options: ResultStorerOptions) {
    this.#options = options
    this.#batcher = new Batcher({ run: (batch) => this.#store(batch) })
  }

  get pending(): number {
    return this.#batcher.pending
  }

  /** Calls `onStored` when the record is kept, or was refused for good. */
  add(write: ResultWrite, onStored: () => void): void {
    this.#batcher.add({ write, onStored })
  }

  async idle(): Promise<void> {
    await this.#batcher.idle()
  }

  /** Gives up what is not stored within `graceMs`. Safe twice. */
  async close(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.#closing.abort(closed), graceMs)
    await this.#batcher.idle()
    clearTimeout(timer)
    this.#closing.abort(closed)
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    const { signal } = this.#closing
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.#options.backend.store(
          batch.map(({ write }) => write),
          { signal },
        )
        for (const { onStored } of batch) onStored()
        return
      } catch (error) {
        if (signal.aborted) return
        if (!isUnavailable(error)) {
          await this.#refuse(batch, error)
          return
        }
        this.#options.onError(error)
        await sleep(Math.min(1_500, 50 * 2 ** attempt), { signal }).catch(() => signal.throwIfAborted)
      }
    }
  }

  /** One record that the store refuses must not keep the others: they are repeated singly. */
  async #refuse(batch: readonly Waiting[], error: unknown): Promise<void> {
    const [only] = batch
    if (batch.length === 1 && only !== undefined) {
      this.#options.onRefused(only.write, error)
      only.onStored()
      return
    }
    for (const waiting of batch) await this.#store([waiting])
  }
}

const closed = new Error('the result storer was closed')

function isUnavailable(error: unknown): boolean {
  return CeleryError.is(error, 'ERR_CELERY_BACKEND_UNAVAILABLE')
}
