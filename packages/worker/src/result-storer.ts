import type { ResultBackend, ResultWrite } from '@celery/backend'
import { Attempts, Batcher } from '@celery/messaging'
import { abortable, CeleryError, type Clock } from '@celery/promises'

export interface ResultStorerOptions {
  readonly backend: ResultBackend
  /** A batch failed and will be tried again. */
  readonly onError: (error: unknown) => void
  /** The store refuses this record for good: it is too large, for example. Gives the record to store instead. */
  readonly onRefused: (write: ResultWrite, error: unknown) => ResultWrite
  /** Whose time passes between two attempts, and until the end of the grace. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
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
  readonly #attempts: Attempts
  readonly #batcher: Batcher<Waiting>
  #unstored = 0

  constructor(options: ResultStorerOptions) {
    this.#options = options
    this.#attempts = new Attempts(options.clock)
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

  /** Tries at once what has failed, and again and again for `graceMs`. What is not stored until then is given up. */
  hurry(graceMs: number): void {
    this.#attempts.hurry(graceMs)
  }

  /** As `hurry`, and nothing may be added any more; resolves to how many records were given up. Safe twice. */
  async close(graceMs: number): Promise<number> {
    this.hurry(graceMs)
    await this.#batcher.idle()
    this.#attempts.end()
    return this.#unstored
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    const writes = batch.map(({ write }) => write)
    for await (const signal of this.#attempts.each()) {
      try {
        // A driver that is deaf to the signal must not hold up the stop.
        await abortable(this.#options.backend.store(writes, { signal }), signal)
      } catch (error) {
        if (signal.aborted) break
        if (isRefusal(error)) return this.#refuse(batch, error)
        this.#options.onError(error)
        continue
      }
      for (const { onStored } of batch) onStored()
      return
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

/** Whether the record itself is at fault. Everything else may pass: a store that is away or full has many words for it. */
function isRefusal(error: unknown): boolean {
  return refusals.some((code) => CeleryError.is(error, code))
}

const refusals = ['ERR_CELERY_RESULT_TOO_LARGE', 'ERR_CELERY_INVALID_TASK_ID'] as const
