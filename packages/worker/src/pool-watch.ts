import type { TaskPool } from './pools/task-pool.ts'

export interface PoolWatchOptions {
  readonly pool: TaskPool
  /** Whether messages lie here that another worker could be running. */
  readonly isOverfull: () => boolean
  /** The pool can run tasks, or cannot. Called when that changes. */
  readonly onHealth: (healthy: boolean) => void
  readonly onError: (error: unknown) => void
  /** Milliseconds between two looks. @defaultValue `250` */
  readonly intervalMs?: number
}

/** Gives back what lies in the pool where another worker could be running it: too much of it, or a pool that cannot. */
export class PoolWatch {
  readonly #options: PoolWatchOptions
  #timer: NodeJS.Timeout | undefined
  #healthy = true
  #recalling = false

  constructor(options: PoolWatchOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), this.#options.intervalMs ?? 250)
  }

  /** Safe twice. */
  stop(): void {
    clearInterval(this.#timer)
  }

  look(): void {
    const { isOverfull, onHealth, pool } = this.#options
    const { healthy } = pool
    if (healthy !== this.#healthy) {
      this.#healthy = healthy
      onHealth(healthy)
    }
    if (!healthy || isOverfull()) void this.#recall()
  }

  async #recall(): Promise<void> {
    // A process that blocks answers late, and asking it again meanwhile is of no use.
    if (this.#recalling) return
    this.#recalling = true
    try {
      await this.#options.pool.recall()
    } catch (error) {
      this.#options.onError(error)
    }
    this.#recalling = false
  }
}
