import type { ResultBackend, ResultWrite } from '@celery/backend'
import { Attempts, Batcher } from '@celery/messaging'
import { abortable, CeleryError, type Clock, systemClock } from '@celery/promises'

export interface ResultStorerOptions {
  readonly backend: ResultBackend
  /** A batch failed and will be tried again. */
  readonly onError: (error: unknown) => void
  /** The store refuses this record for good: it is too large, for example. Gives the record to store instead. */
  readonly onRefused: (write: ResultWrite, error: unknown) => ResultWrite
  /** Records were stored since `room` told of less than `Infinity`. */
  readonly onRoom?: (() => void) | undefined
  /** Whose time passes between two attempts, and until the end of the grace. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

interface Waiting {
  readonly write: ResultWrite
  readonly onStored: () => void
  /** It says that another record was refused. */
  readonly isReplacement: boolean
}

/** Records that wait, and their characters or bytes, beyond which nothing should come that brings more. */
const most = { records: 2_000, size: 16 * 1024 * 1024 } as const
/** The same while the store takes none, in windows of messages: its tasks may all run again elsewhere. */
const windowsAway = 4
/** Milliseconds for a batch after which the store counts as away. */
const patienceMs = 250

/**
 * Stores results in batches, and again until the store has them: a task that is acknowledged late is not settled
 * before its result is kept.
 */
export class ResultStorer {
  readonly #options: ResultStorerOptions
  readonly #attempts: Attempts
  readonly #batcher: Batcher<Waiting>
  readonly #clock: Clock
  #unstored = 0
  /** What waits, and its characters or bytes. */
  #records = 0
  #size = 0
  /** When the batch that is under way began. */
  #since: number | undefined
  /** Why its last attempt failed. */
  #failure: string | undefined
  /** Somebody was told of less than all room. */
  #isAwaited = false

  constructor(options: ResultStorerOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#attempts = new Attempts(options.clock)
    this.#batcher = new Batcher({ run: (batch) => this.#storeBatch(batch) })
  }

  get pending(): number {
    return this.#batcher.pending
  }

  /** Why the store takes nothing at present; `undefined` where it does. */
  get trouble(): string | undefined {
    if (this.#failure !== undefined) return this.#failure
    const elapsedMs = this.#since === undefined ? 0 : this.#clock.monotonic() - this.#since
    return elapsedMs < patienceMs ? undefined : `it has not answered for ${(elapsedMs / 1_000).toFixed(1)} s`
  }

  /**
   * How many more records may come before more waits than memory should hold, or, while the store is away, than a few
   * windows of messages; `Infinity` where none waits. Calls `onRoom` when it has grown.
   */
  room(window: number): number {
    if (this.#records === 0) return Infinity
    this.#isAwaited = true
    if (this.#size >= most.size) return 0
    const records = this.trouble === undefined ? most.records : Math.min(most.records, windowsAway * window)
    return Math.max(0, records - this.#records)
  }

  /** Calls `onStored` when the record is kept, or what is stored instead of a refused one. */
  add(write: ResultWrite, onStored: () => void): void {
    this.#records++
    this.#size += write.record.length
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

  async #storeBatch(batch: readonly Waiting[]): Promise<void> {
    this.#since = this.#clock.monotonic()
    await this.#store(batch)
    this.#since = undefined
    this.#records -= batch.length
    for (const { write } of batch) this.#size -= write.record.length
    if (!this.#isAwaited) return
    this.#isAwaited = false
    this.#options.onRoom?.()
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    const writes = batch.map(({ write }) => write)
    for await (const signal of this.#attempts.each()) {
      try {
        // A driver that is deaf to the signal must not hold up the stop.
        await abortable(this.#options.backend.store(writes, { signal }), signal)
        this.#failure = undefined
      } catch (error) {
        if (signal.aborted) break
        this.#failure = undefined
        if (isRefusal(error)) return this.#refuse(batch, error)
        this.#failure = error instanceof Error ? error.message : String(error)
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
