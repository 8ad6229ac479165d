import { setTimeout as sleep } from 'node:timers/promises'

export interface BatcherOptions<Item> {
  /** Deals with a batch. Must not reject: each item has its own way to be told. */
  readonly run: (batch: readonly Item[]) => Promise<void>
  /** @defaultValue `1_000` */
  readonly maxBatch?: number
  /** Waits before each batch, so that more can join it. @defaultValue until the end of this turn of the event loop */
  readonly gather?: () => Promise<void>
  /**
   * Milliseconds to wait for more when the batch before has only just left: under load a batch costs much and waiting
   * little, while a lone item still leaves at once. @defaultValue `0`
   */
  readonly lingerMs?: number
}

/** Lets work that comes piece by piece leave in batches, one at a time: what comes meanwhile forms the next one. */
export class Batcher<Item> {
  readonly #run: (batch: readonly Item[]) => Promise<void>
  readonly #maxBatch: number
  readonly #gather: () => Promise<void>
  readonly #lingerMs: number
  #lastLeftAt = Number.NEGATIVE_INFINITY
  #waiting: Item[] = []
  #running = 0
  #loop: Promise<void> | undefined

  constructor(options: BatcherOptions<Item>) {
    this.#run = options.run
    this.#maxBatch = options.maxBatch ?? 1_000
    this.#gather = options.gather ?? endOfTurn
    this.#lingerMs = options.lingerMs ?? 0
  }

  /** Items whose batch has not ended. */
  get pending(): number {
    return this.#waiting.length + this.#running
  }

  add(item: Item): void {
    this.#waiting.push(item)
    this.#loop ??= this.#flush()
  }

  /** Resolves when nothing is pending. */
  async idle(): Promise<void> {
    while (this.#loop !== undefined) await this.#loop
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const sinceLastMs = performance.now() - this.#lastLeftAt
      if (sinceLastMs < this.#lingerMs) await sleep(this.#lingerMs)
      else await this.#gather()
      let batch = this.#waiting
      if (batch.length > this.#maxBatch) {
        this.#waiting = batch.slice(this.#maxBatch)
        batch = batch.slice(0, this.#maxBatch)
      } else {
        this.#waiting = []
      }
      this.#running = batch.length
      this.#lastLeftAt = performance.now()
      await this.#run(batch)
      this.#running = 0
    }
    this.#loop = undefined
  }
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
