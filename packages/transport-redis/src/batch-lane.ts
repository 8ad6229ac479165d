import { type AbortableOptions, type Deferred, deferred, onAbort } from '@celery/promises'
import type { SentCall } from './sent-call.ts'
import type { PlaceInCall } from './unanswered.ts'

/** What one caller wants carried out, all of it in one call. */
export interface Submission<Result> {
  readonly results: Promise<readonly Result[]>
  /** Where an item of it is, as soon as it was sent. */
  placeOf(index: number): PlaceInCall | undefined
}

export interface BatchLaneOptions<Item, Result> {
  /** Names the next call, from 1 on. */
  begin(number: number): SentCall
  /** Carries out items of several callers, in their order, and resolves to a result for each. */
  run(items: readonly Item[], call: SentCall, number: number): Promise<readonly Result[]>
  /** How long an item is, roughly, in bytes. */
  sizeOf(item: Item): number
  /** Most items of one call, unless one caller has more. */
  readonly maxItems: number
  /** Most bytes of one call, unless one caller has more: over a slow link nobody is to be late because of others. @defaultValue 1 MiB */
  readonly maxBytes?: number
}

/**
 * Sends what many callers want as few calls, one at a time: what comes while one is on its way leaves with the next. So
 * calls are carried out in their order, and the last number that the server has seen tells of all.
 */
export class BatchLane<Item, Result> {
  readonly #options: BatchLaneOptions<Item, Result>
  #waiting: Job<Item, Result>[] = []
  #busy = false
  #number = 0

  constructor(options: BatchLaneOptions<Item, Result>) {
    this.#options = options
  }

  /**
   * Resolves to the results of these items, which leave at once where nothing is on its way. A caller that gives up before
   * they were sent takes them back; later it only stops waiting.
   */
  submit(items: readonly Item[], { signal }: AbortableOptions = {}): Submission<Result> {
    const job = new Job<Item, Result>(items)
    if (signal?.aborted === true) {
      job.done.reject(signal.reason)
      return job
    }
    this.#waiting.push(job)
    if (signal !== undefined) {
      const giveUp = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== job)
        job.done.reject(signal.reason)
      }
      const forget = onAbort(signal, giveUp)
      job.results.then(forget, forget)
    }
    if (!this.#busy) void this.#drain()
    return job
  }

  /** Rejects what was not sent. */
  fail(reason: unknown): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const job of waiting) job.done.reject(reason)
  }

  async #drain(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0) {
      const jobs = this.#takeJobs()
      try {
        const results = await this.#send(jobs)
        let at = 0
        for (const { done, items } of jobs) {
          done.resolve(jobs.length === 1 ? results : results.slice(at, at + items.length))
          at += items.length
        }
      } catch (error) {
        for (const { done } of jobs) done.reject(error)
      }
    }
    this.#busy = false
  }

  #send(jobs: readonly Job<Item, Result>[]): Promise<readonly Result[]> {
    const items = jobs.length === 1 ? (jobs[0]?.items ?? []) : jobs.flatMap((job) => job.items)
    const call = this.#options.begin(++this.#number)
    let first = 0
    for (const job of jobs) {
      job.sent(call, first)
      first += job.items.length
    }
    return this.#options.run(items, call, this.#number)
  }

  /** Those of the next call. */
  #takeJobs(): readonly Job<Item, Result>[] {
    const { maxItems, maxBytes = maxCallBytes, sizeOf } = this.#options
    let size = 0
    let bytes = 0
    let count = 0
    for (const job of this.#waiting) {
      size += job.items.length
      bytes += job.bytes(sizeOf)
      if (count > 0 && (size > maxItems || bytes > maxBytes)) break
      count++
    }
    const jobs = this.#waiting
    this.#waiting = jobs.length === count ? [] : jobs.slice(count)
    return jobs.length === count ? jobs : jobs.slice(0, count)
  }
}

/** What one caller wants, as calls that are no longer than those of several callers: each of one item at least. */
export function portionsOf<Item>(
  items: readonly Item[],
  { maxItems, sizeOf }: Pick<BatchLaneOptions<Item, unknown>, 'maxItems' | 'sizeOf'>,
): readonly (readonly Item[])[] {
  const portions: (readonly Item[])[] = []
  let first = 0
  let bytes = 0
  for (const [index, item] of items.entries()) {
    const size = sizeOf(item)
    bytes += size
    if (index > first && (bytes > maxCallBytes || index - first === maxItems)) {
      portions.push(items.slice(first, index))
      first = index
      bytes = size
    }
  }
  portions.push(first === 0 ? items : items.slice(first))
  return portions
}

const maxCallBytes = 1024 * 1024

class Job<Item, Result> implements Submission<Result> {
  readonly items: readonly Item[]
  readonly done: Deferred<readonly Result[]> = deferred()
  #call: SentCall | undefined
  #first = 0
  #bytes: number | undefined

  constructor(items: readonly Item[]) {
    this.items = items
  }

  get results(): Promise<readonly Result[]> {
    return this.done.promise
  }

  /** Measured once, however often it has to wait for the next call. */
  bytes(sizeOf: (item: Item) => number): number {
    if (this.#bytes === undefined) {
      this.#bytes = 0
      for (const item of this.items) this.#bytes += sizeOf(item)
    }
    return this.#bytes
  }

  sent(call: SentCall, first: number): void {
    this.#call = call
    this.#first = first
  }

  placeOf(index: number): PlaceInCall | undefined {
    return this.#call === undefined ? undefined : { call: this.#call, index: this.#first + index }
  }
}
