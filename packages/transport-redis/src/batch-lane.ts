import { type AbortableOptions, deferred, onAbort } from '@celery/promises'
import type { SentCall } from './sent-call.ts'

/** What one caller wants carried out, all of it in one call. */
interface Job<Item, Result> {
  readonly items: readonly Item[]
  readonly onSent: (call: SentCall, first: number) => void
  resolve(results: readonly Result[]): void
  reject(reason: unknown): void
}

export interface BatchLaneOptions<Item, Result> {
  /** Names the next call, from 1 on. */
  begin(number: number): SentCall
  /** Carries out items of several callers, in their order, and resolves to a result for each. */
  run(items: readonly Item[], call: SentCall, number: number): Promise<readonly Result[]>
  /** Most items of one call, unless one caller has more. */
  readonly maxItems: number
}

/**
 * Sends what many callers want as few calls, one at a time: what comes while one is on its way leaves with the next. So
 * calls are carried out in their order, and the last number that the server has seen tells of all.
 */
export class BatchLane<Item, Result> {
  readonly #options: BatchLaneOptions<Item, Result>
  #waiting: Job<Item, Result>[] = []
  #scheduled = false
  #busy = false
  #number = 0

  constructor(options: BatchLaneOptions<Item, Result>) {
    this.#options = options
  }

  /**
   * Resolves to the results of these items. A caller that gives up before they were sent takes them back; later it only
   * stops waiting.
   * @param onSent - Told the call that they are part of, and at which place of it.
   */
  submit(
    items: readonly Item[],
    onSent: (call: SentCall, first: number) => void,
    { signal }: AbortableOptions = {},
  ): Promise<readonly Result[]> {
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const { promise, resolve, reject } = deferred<readonly Result[]>()
    const job: Job<Item, Result> = { items, onSent, resolve, reject }
    this.#waiting.push(job)
    this.#schedule()
    if (signal === undefined) return promise
    const giveUp = (): void => {
      this.#waiting = this.#waiting.filter((other) => other !== job)
      reject(signal.reason)
    }
    const forget = onAbort(signal, giveUp)
    promise.then(forget, forget)
    return promise
  }

  /** Rejects what was not sent. */
  fail(reason: unknown): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const job of waiting) job.reject(reason)
  }

  /** At the end of this turn of the event loop, so that all that it submits leaves together. */
  #schedule(): void {
    if (this.#scheduled || this.#busy) return
    this.#scheduled = true
    process.nextTick(() => {
      this.#scheduled = false
      if (!this.#busy) void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0) await this.#sendNext()
    this.#busy = false
  }

  async #sendNext(): Promise<void> {
    let size = 0
    let count = 0
    for (const { items } of this.#waiting) {
      if (count > 0 && size + items.length > this.#options.maxItems) break
      size += items.length
      count++
    }
    const jobs = this.#waiting.splice(0, count)
    const items = jobs.length === 1 ? (jobs[0]?.items ?? []) : jobs.flatMap((job) => job.items)
    const call = this.#options.begin(++this.#number)
    let first = 0
    for (const job of jobs) {
      job.onSent(call, first)
      first += job.items.length
    }
    try {
      const results = await this.#options.run(items, call, this.#number)
      let at = 0
      for (const job of jobs) {
        job.resolve(results.slice(at, at + job.items.length))
        at += job.items.length
      }
    } catch (error) {
      for (const job of jobs) job.reject(error)
    }
  }
}
