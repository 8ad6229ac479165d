import type { Clock } from './clock.ts'
import { Heap, type HeapNode } from './heap.ts'

interface Timer extends HeapNode {
  readonly atMs: number
  readonly sequence: number
  readonly run: () => void
}

interface Watcher {
  readonly count: number
  readonly notify: () => void
}

/**
 * A clock that stands still until told to move, for tests of anything that takes a {@link Clock}.
 *
 * Wall time and monotonic time are separate: `advance` moves both, `jump` sets the wall clock alone, as an administrator
 * or NTP does.
 */
export class ManualClock implements Clock {
  #nowMs: number
  #monotonicMs = 0
  #sequence = 0
  readonly #timers = new Heap<Timer>((a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence))
  readonly #watchers = new Set<Watcher>()

  /** Starts at `nowMs` milliseconds since 1970, by default 2024-01-01T00:00:00Z. */
  constructor(nowMs: number = Date.UTC(2024, 0, 1)) {
    this.#nowMs = nowMs
  }

  /** Timers that have not run yet. */
  get pending(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  schedule(delayMs: number, run: () => void): () => void {
    const timer: Timer = { atMs: this.#monotonicMs + Math.max(0, delayMs), sequence: this.#sequence++, run, index: -1 }
    this.#timers.add(timer)
    for (const watcher of this.#watchers) if (this.#timers.size >= watcher.count) watcher.notify()
    return () => {
      this.#timers.remove(timer)
    }
  }

  /** Moves the wall clock alone by `ms`, which may be negative. No timer runs. */
  jump(ms: number): void {
    this.#nowMs += ms
  }

  /**
   * Moves time on by `ms` and runs the timers that fall due, each at its own time and in order, also those that are set
   * on the way. What a timer throws ends the move there.
   *
   * Promises settled by a timer are not waited for; use {@link advanceAsync} where the next timer is set by one.
   */
  advance(ms: number): void {
    const endMs = this.#end(ms)
    while (this.#runNext(endMs));
    this.#moveTo(endMs)
  }

  /** As {@link advance}, but lets everything that promises have made runnable run before and after each timer. */
  async advanceAsync(ms: number): Promise<void> {
    const endMs = this.#end(ms)
    do await macrotask()
    while (this.#runNext(endMs))
    this.#moveTo(endMs)
  }

  /** Resolves once at least `count` timers wait: the code under test has gone to sleep. */
  whenPending(count = 1): Promise<void> {
    if (this.#timers.size >= count) return Promise.resolve()
    return new Promise<void>((resolve) => {
      const watcher: Watcher = {
        count,
        notify: () => {
          this.#watchers.delete(watcher)
          resolve()
        },
      }
      this.#watchers.add(watcher)
    })
  }

  #end(ms: number): number {
    if (!(ms >= 0)) throw new RangeError(`time only moves forward, got ${ms} ms; use jump() for the wall clock`)
    return this.#monotonicMs + ms
  }

  #runNext(endMs: number): boolean {
    const timer = this.#timers.first
    if (timer === undefined || timer.atMs > endMs) return false
    this.#timers.remove(timer)
    this.#moveTo(timer.atMs)
    timer.run()
    return true
  }

  #moveTo(monotonicMs: number): void {
    // A timer may itself have advanced the clock beyond.
    const ms = Math.max(0, monotonicMs - this.#monotonicMs)
    this.#monotonicMs += ms
    this.#nowMs += ms
  }
}

function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
