import type { ResultBackend, ResultWrite } from '@celery/backend'
import { Batcher } from '@celery/messaging'
import { CeleryError, sleep, unlessAborted } from '@celery/promises'

export interface ResultStorerOptions {
  readonly backend: ResultBackend
  /** A batch failed and will be tried again. */
  readonly onError: (error: unknown) => void
  /** The store refuses this record for good: it is too large, for example. Gives the record to store instead. */
  readonly onRefused: (write: ResultWrite, error: unknown) => ResultWrite
}

interface Waiting {
  readonly write: ResultWrite
  readonly onStored: () => void
  /** It says that another record was refused. */
  readonly isReplacement: boolean
}

/**
 * Stores results in batches, and again until the store has them: a task that is acknowledged late is not settled
 * before its result is kept.
 */
export class ResultStorer {
  readonly #options: ResultStorerOptions
  readonly #closing = new AbortController()
  readonly #batcher: Batcher<Waiting>
  #unstored = 0

  constructor(options: ResultStorerOptions) {
    this.#options = options
    this.#batcher = new Batcher({ run: (batch) => this.#store(batch) })
  }

  get pending(): number {
    return this.#batcher.pending
  }

  /** Calls `onStored` when the record is kept, or what is stored instead of a refused one. */
  add(write: ResultWrite, onStored: () => void): void {
    this.#batcher.add({ write, onStored, isReplacement: false })
  }

  async idle(): Promise<void> {
    await this.#batcher.idle()
  }

  /** Gives up what is not stored within `graceMs`; resolves to how many records that were. Safe twice. */
  async close(graceMs: number): Promise<number> {
    const timer = setTimeout(() => this.#closing.abort(closed), graceMs)
    await this.#batcher.idle()
    clearTimeout(timer)
    this.#closing.abort(closed)
    return this.#unstored
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
        if (signal.aborted) break
        if (isRefusal(error)) {
          await this.#refuse(batch, error)
          return
        }
        this.#options.onError(error)
        await sleep(Math.min(1_500, 50 * 2 ** attempt), { signal }).catch(unlessAborted(signal))
      }
    }
    this.#unstored += batch.length
  }

  /** One record that the store refuses must not keep the others: they are repeated singly. */
  async #refuse(batch: readonly Waiting[], error: unknown): Promise<void> {
    const [only] = batch
    if (batch.length === 1 && only !== undefined) {
      const instead = this.#options.onRefused(only.write, error)
      if (only.isReplacement) only.onStored()
      else await this.#store([{ write: instead, onStored: only.onStored, isReplacement: true }])
      return
    }
    for (const waiting of batch) await this.#store([waiting])
  }
}

const closed = new Error('the result storer was closed')

/** Whether the record itself is at fault. Everything else may pass: a store that is away or full has many words for it. */
function isRefusal(error: unknown): boolean {
  return refusals.some((code) => CeleryError.is(error, code))
}

const refusals = ['ERR_CELERY_RESULT_TOO_LARGE', 'ERR_CELERY_INVALID_TASK_ID'] as const
