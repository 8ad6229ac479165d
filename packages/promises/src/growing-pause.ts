/** How {@link growingPause} grows. */
export interface GrowingPauseOptions {
  /** Milliseconds of the first pause, before a part of it is taken off. */
  readonly firstMs: number
  /** Milliseconds that no pause exceeds. */
  readonly longestMs: number
  /** A number from 0 up to, not including, 1. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined
}

/**
 * The milliseconds to wait after so many retries before something that is away is tried again: they double from
 * `firstMs` to `longestMs`. Up to a quarter of each is taken off at random, so that those who lost one server together
 * do not all come back to it at once.
 *
 * For connections and the like, which should come back soon. `exponentialBackoff` is for tasks: whole seconds, from 0.
 */
export function growingPause(options: GrowingPauseOptions): (retries: number) => number {
  const { firstMs, longestMs, random = Math.random } = options
  return (retries) => Math.min(longestMs, firstMs * 2 ** retries) * (1 - random() / 4)
}
