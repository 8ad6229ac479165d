import { type Clock, systemClock } from './clock.ts'
import { Heap, type HeapNode } from './heap.ts'
import { reportUncaught } from './report-uncaught.ts'

/** How a {@link TimerHeap} behaves. */
export interface TimerHeapOptions {
  /** Whose monotonic time counts. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
  /** Lets the process end while only these timers are left. @defaultValue `false` */
  readonly unref?: boolean | undefined
  /** Receives what an entry throws; the entries after it still run. @defaultValue raises an uncaught exception */
  readonly onError?: ((error: unknown) => void) | undefined
}

interface Entry extends HeapNode {
  readonly atMs: number
  /** Order of scheduling: entries of the same time run first come, first served. */
  readonly sequence: number
  readonly run: () => void
}

/**
 * Many timers behind one: tens of thousands of delayed entries cost one `setTimeout`.
 *
 * Entries run in order of time, those of the same time in the order they were scheduled, none early. Times are the
 * clock's monotonic ones, so setting the machine's clock moves nothing.
 */
export class TimerHeap implements Disposable {
  readonly #clock: Clock
  readonly #unref: boolean
  readonly #onError: (error: unknown) => void
  readonly #entries = new Heap<Entry>((a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence))
  #sequence = 0
  /** When the one underlying timer goes off; `Infinity` while there is none. */
  #armedAtMs = Number.POSITIVE_INFINITY
  #disarm: (() => void) | undefined
  #running = false

  constructor(options: TimerHeapOptions = {}) {
    this.#clock = options.clock ?? systemClock
    this.#unref = options.unref ?? false
    this.#onError = options.onError ?? reportUncaught
  }

  /** Entries that still wait. */
  get size(): number {
    return this.#entries.size
  }

  /** Monotonic milliseconds at which the next entry is due; `undefined` when none waits. */
  get nextAtMs(): number | undefined {
    return this.#entries.first?.atMs
  }

  /** Calls `run` after `delayMs` milliseconds; the returned function cancels it, and is safe to call late or twice. */
  schedule(delayMs: number, run: () => void): () => void {
    return this.scheduleAt(this.#clock.monotonic() + delayMs, run)
  }

  /** Calls `run` when the clock's `monotonic()` reaches `atMs`; a time in the past means as soon as possible. */
  scheduleAt(atMs: number, run: () => void): () => void {
    if (Number.isNaN(atMs)) throw new RangeError('a timer needs a time, got NaN')
    const entry: Entry = { atMs, sequence: this.#sequence++, run, index: -1 }
    this.#entries.add(entry)
    this.#arm()
    return () => {
      // Only the last one stops the timer. Else it may go off for nothing once, which is cheaper than setting it anew.
      if (this.#entries.remove(entry) && this.#entries.size === 0) this.#stop()
    }
  }

  /** Cancels every entry. The heap can be used again. */
  clear(): void {
    this.#entries.clear()
    this.#stop()
  }

  [Symbol.dispose](): void {
    this.clear()
  }

  /** Makes sure that the timer goes off no later than the first entry is due. */
  #arm(): void {
    const first = this.#entries.first
    if (first === undefined || this.#running || first.atMs >= this.#armedAtMs || first.atMs === Infinity) return
    this.#disarm?.()
    this.#armedAtMs = first.atMs
    this.#disarm = this.#clock.schedule(Math.max(0, first.atMs - this.#clock.monotonic()), () => this.#runDue(), {
      unref: this.#unref,
    })
  }

  #stop(): void {
    this.#disarm?.()
    this.#disarm = undefined
    this.#armedAtMs = Number.POSITIVE_INFINITY
  }

  #runDue(): void {
    this.#stop()
    this.#running = true
    const nowMs = this.#clock.monotonic()
    // An entry scheduled by an entry waits for the next turn, so that one which always schedules another cannot hold
    // the event loop.
    const end = this.#sequence
    try {
      for (;;) {
        const entry = this.#entries.first
        if (entry === undefined || entry.atMs > nowMs || entry.sequence >= end) break
        this.#entries.remove(entry)
        try {
          entry.run()
        } catch (error) {
          this.#onError(error)
        }
      }
    } finally {
      this.#running = false
      this.#arm()
    }
  }
}
