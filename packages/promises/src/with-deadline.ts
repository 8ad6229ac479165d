import type { AbortableOptions } from './abort.ts'
import { type Clock, systemClock } from './clock.ts'
import { onAbort } from './on-abort.ts'

/** How {@link withDeadline} waits. */
export interface DeadlineOptions extends AbortableOptions {
  /** Whose time counts. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

/**
 * Settles as `work` does, or rejects with `makeError()` once `ms` milliseconds have passed without that.
 *
 * Given a function, calls it with a signal that aborts, with the same error, at the deadline or when `options.signal`
 * does, so that the work can stop too. A promise cannot be told: it goes on, and a later rejection counts as handled.
 * `Infinity` means no deadline.
 */
export function withDeadline<T>(
  work: PromiseLike<T> | ((signal: AbortSignal) => PromiseLike<T> | T),
  ms: number,
  makeError: () => Error,
  options: DeadlineOptions = {},
): Promise<T> {
  const { signal, clock = systemClock } = options
  return new Promise<T>((resolve, reject) => {
    const controller = typeof work === 'function' ? new AbortController() : undefined
    const release = (): void => {
      cancel?.()
      forget?.()
    }
    const giveUp = (reason: unknown): void => {
      release()
      reject(reason)
      controller?.abort(reason)
    }
    const cancel = ms === Number.POSITIVE_INFINITY ? undefined : clock.schedule(ms, () => giveUp(makeError()))
    const forget = signal && !signal.aborted ? onAbort(signal, () => giveUp(signal.reason)) : undefined
    if (signal?.aborted === true) giveUp(signal.reason)

    start(work, controller).then(
      (value) => {
        release()
        resolve(value)
      },
      (reason) => {
        release()
        reject(reason)
      },
    )
  })
}

async function start<T>(
  work: PromiseLike<T> | ((signal: AbortSignal) => PromiseLike<T> | T),
  controller: AbortController | undefined,
): Promise<T> {
  if (typeof work !== 'function') return work
  const { signal } = controller ?? new AbortController()
  signal.throwIfAborted()
  return work(signal)
}
