/** Rows that one run removes at most, so that a large backlog is taken off bit by bit. */
const ROWS_PER_RUN = 20_000

/**
 * Removes expired records now and then, in a process that writes: the embedded store has no server that would do it,
 * and who only reads makes none. Does not keep the process alive.
 */
export class ExpirySweeper {
  readonly #remove: (max: number) => Promise<number>
  readonly #intervalMs: number
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(remove: (max: number) => Promise<number>, intervalMs: number) {
    this.#remove = remove
    this.#intervalMs = intervalMs
  }

  /** Does nothing if it has started already. */
  start(): void {
    if (this.#timer !== undefined || this.#stopped) return
    // Spread, so that the processes of one file do not all come at once.
    this.#timer = setTimeout(() => void this.#run(), this.#intervalMs * (0.5 + Math.random()))
    this.#timer.unref()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #run(): Promise<void> {
    try {
      await this.#remove(ROWS_PER_RUN)
    } catch {
      // The file is locked or gone. Whoever stores or reads meets the error; here the next run tries again.
    }
    this.#timer = undefined
    this.start()
  }
}
