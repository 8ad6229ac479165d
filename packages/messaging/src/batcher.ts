export interface BatcherOptions<Item> {
  /** Deals with a batch. Must not reject: each item has its own way to be told. */
  readonly run: (batch: readonly Item[]) => Promise<void>
  /** @defaultValue `1_000` */
  readonly maxBatch?: number
  /** Waits before each batch, so that more can join it. @defaultValue until the end of this turn of the event loop */
  readonly gather?: () => Promise<void>
  /**
   * Waits for more while a batch would follow the one before too closely: for so many times as long as that one took,
   * so that batches take no more than their share of the time. After a batch of one item nothing waits: where they come
   * one by one, each with somebody waiting for it, there is nothing to gather. @defaultValue `0`
   */
  readonly linger?: number
  /** So many need not wait any longer. @defaultValue `250` */
  readonly enough?: number
  /** A batch leaves now: what else is to go with it must be asked for at once. */
  readonly onLeave?: (() => void) | undefined
}

/** However long a batch took. */
const longestLingerMs = 10

/** Lets work that comes piece by piece leave in batches, one at a time: what comes meanwhile forms the next one. */
export class Batcher<Item> {
  readonly #run: (batch: readonly Item[]) => Promise<void>
  readonly #maxBatch: number
  readonly #gather: () => Promise<void>
  readonly #linger: number
  readonly #enough: number
  readonly #onLeave: (() => void) | undefined
  /** Ends the lingering. */
  #leave: (() => void) | undefined
  /** On the monotonic clock. */
  #lingerUntil = 0
  #waiting: Item[] = []
  #running = 0
  #loop: Promise<void> | undefined

  constructor(options: BatcherOptions<Item>) {
    this.#run = options.run
    this.#maxBatch = options.maxBatch ?? 1_000
    this.#gather = options.gather ?? endOfTurn
    this.#linger = options.linger ?? 0
    this.#enough = options.enough ?? 250
    this.#onLeave = options.onLeave
  }

  /** Items whose batch has not ended. */
  get pending(): number {
    return this.#waiting.length + this.#running
  }

  add(item: Item): void {
    this.#waiting.push(item)
    if (this.#leave !== undefined && this.#waiting.length >= this.#enough) this.#leave()
    this.#loop ??= this.#flush()
  }

  /** Resolves when nothing is pending. */
  async idle(): Promise<void> {
    while (this.#loop !== undefined) await this.#loop
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const restMs = this.#linger === 0 ? 0 : this.#lingerUntil - performance.now()
      if (restMs > 0 && this.#waiting.length < this.#enough) await this.#rest(restMs)
      else await this.#gather()
      let batch = this.#waiting
      if (batch.length > this.#maxBatch) {
        this.#waiting = batch.slice(this.#maxBatch)
        batch = batch.slice(0, this.#maxBatch)
      } else {
        this.#waiting = []
      }
      this.#running = batch.length
      const leftAt = this.#linger === 0 ? 0 : performance.now()
      this.#onLeave?.()
      await this.#run(batch)
      if (this.#linger > 0 && batch.length > 1) {
        const now = performance.now()
        this.#lingerUntil = now + Math.min(longestLingerMs, (now - leftAt) * this.#linger)
      }
      this.#running = 0
    }
    this.#loop = undefined
  }

  #rest(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#leave?.(), milliseconds)
      this.#leave = () => {
        clearTimeout(timer)
        this.#leave = undefined
        resolve()
      }
    })
  }
}

function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
