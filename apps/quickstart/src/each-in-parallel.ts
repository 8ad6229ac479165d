/**
 * Runs `work` for each item in order, `width` at a time. The first that fails aborts the `signal` of the others, as does
 * `signal` itself; rejects with the reason, once nothing runs any more.
 */
export async function eachInParallel<T>(
  items: readonly T[],
  options: { readonly width: number; readonly signal: AbortSignal },
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const signal = AbortSignal.any([options.signal, failed.signal])
  const rest = items.values()
  const lane = async (): Promise<void> => {
    for (const item of rest) {
      if (signal.aborted) return
      await work(item, signal)
    }
  }
  const lanes = Array.from({ length: Math.min(options.width, items.length) }, lane)
  await Promise.all(lanes.map((running) => running.catch((error: unknown) => failed.abort(error))))
  signal.throwIfAborted()
}
