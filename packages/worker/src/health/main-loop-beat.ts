/** Milliseconds between two beats. */
const intervalMs = 1_000

/** Beats in one of the two spans whose largest lateness is told. */
const beatsPerSpan = 10

/**
 * Tells that the main loop turns, by the time of its last turn in memory that threads can read. One timer a second is all
 * that it costs.
 */
export class MainLoopBeat {
  /** Nanoseconds on the monotonic clock of the process; shared with the thread that reads it. */
  readonly shared: BigInt64Array = new BigInt64Array(new SharedArrayBuffer(8))
  #timer: NodeJS.Timeout | undefined
  #beats = 0
  /** Of the span that runs, and of the one before. */
  #latest: [number, number] = [0, 0]

  start(): void {
    this.#beat()
    this.#timer ??= setInterval(() => this.#beat(), intervalMs).unref()
  }

  /** Safe twice. */
  stop(): void {
    clearInterval(this.#timer)
  }

  /** Milliseconds by which a turn of the loop came late at most, in the last 10 to 20 s; rounded down where it is below 1. */
  get lagMs(): number {
    return Math.max(...this.#latest, silenceMs(this.shared) - intervalMs)
  }

  #beat(): void {
    const isFirst = this.#timer === undefined
    const lateMs = isFirst ? 0 : Math.max(0, silenceMs(this.shared) - intervalMs)
    Atomics.store(this.shared, 0, process.hrtime.bigint())
    if (++this.#beats % beatsPerSpan === 0) this.#latest = [lateMs, this.#latest[0]]
    else this.#latest[0] = Math.max(this.#latest[0], lateMs)
  }
}

/** Milliseconds since the last beat, asked from any thread. */
export function silenceMs(shared: BigInt64Array): number {
  return Number(process.hrtime.bigint() - Atomics.load(shared, 0)) / 1e6
}
