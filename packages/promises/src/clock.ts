/** Where the time comes from. Everything that waits or stamps takes one, so that tests need not sleep. */
export interface Clock {
  /** Milliseconds since 1970, for stamps that other machines read. Can jump. */
  now(): number
  /** Milliseconds from an arbitrary start, for durations. Never goes back. */
  monotonic(): number
  /** Calls `run` once after `delayMs`; the returned function cancels it. The timer keeps the process alive unless `unref` is set. */
  schedule(delayMs: number, run: () => void, options?: { readonly unref?: boolean }): () => void
}

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, run, options) {
    const timer = setTimeout(run, delayMs)
    if (options?.unref === true) timer.unref()
    return () => clearTimeout(timer)
  },
}
