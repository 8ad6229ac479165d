/** Where the time comes from. Everything that waits or stamps takes one, so that tests need not sleep. */
export interface Clock {
  /** Milliseconds since 1970, for stamps that other machines read. Can jump. */
  now(): number
  /** Milliseconds from an arbitrary start, for durations. Never goes back. */
  monotonic(): number
  /**
   * Calls `run` once after `delayMs`, to the millisecond, or soon where that is negative; the returned function cancels
   * it. Never calls `run` before returning. The timer keeps the process alive unless `unref` is set.
   */
  schedule(delayMs: number, run: () => void, options?: { readonly unref?: boolean }): () => void
}

/** The longest delay of `setTimeout`, about 24.8 days; it takes a longer one for 1 ms. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, run, options) {
    let timer: NodeJS.Timeout
    const arm = (leftMs: number): void => {
      timer =
        leftMs > LONGEST_TIMEOUT_MS
          ? setTimeout(() => arm(leftMs - LONGEST_TIMEOUT_MS), LONGEST_TIMEOUT_MS)
          : setTimeout(run, Math.max(0, Math.ceil(leftMs))) // it cuts fractions off, and Node warns of what is negative
      if (options?.unref === true) timer.unref()
    }
    arm(delayMs)
    return () => clearTimeout(timer)
  },
}
