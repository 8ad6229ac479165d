export interface BatcherOptions<Item> {
  /** Deals with a batch. Must not reject: each item has its own way to be told. */
  readonly run: (batch: readonly Item[]) => Promise<void>
  /** @defaultValue `1_000` */
  readonly maxBatch?: number
  /** Waits before each batch, so that more can join it. @defaultValue until the end of this turn of the event loop */
  readonly gather?: () => Promise<void>
}

/** Lets work that comes piece by piece leave in batches, one at a time: what comes meanwhile forms the next one. */
export class Batcher<Item> {
  readonly #run: (batch: readonly Item[]) => Promise<void>
  readonly #maxBatch: number
  readonly #gather: () => Promise<void>
  #waiting: Item[] = []
  #running = 0
  #loop: Promise<void> | undefined

  constructor(options: BatcherOptions<Item>) {
    this.#run = options.run
    this.#maxBatch = options.maxBatch ?? 1_000
    this.#gather = options.gather ?? endOfTurn
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
      await this.#gather()
      let batch = this.#waiting
      if (batch.length > this.#maxBatch) {
        this.#waiting = batch.slice(this.#maxBatch)
        batch = batch.slice(0, this.#maxBatch)
      } else {
        this.#waiting = []
      }
      this.#running = batch.length
      await this.#run(batch)
      this.#running = 0
    }
    this.#loop = undefined
  }
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
