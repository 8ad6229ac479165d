import { onAbort } from './on-abort.ts'

/** Ends the options of everything that does I/O or waits. */
export interface AbortableOptions {
  /** Gives up waiting; the call then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** Throws `signal.reason` if `signal` has aborted. Takes the optional signal of {@link AbortableOptions} as it comes. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  signal?.throwIfAborted()
}

/**
 * For `.catch()`: lets a rejection pass as settled where `signal` has aborted, and rethrows it where not. For loops
 * that look at the signal themselves: `await sleep(ms, { signal }).catch(unlessAborted(signal))`.
 */
export function unlessAborted(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error
  }
}

/**
 * Rejects with `signal.reason` as soon as `signal` aborts, else settles as `promise` does.
 *
 * `promise` itself goes on; if it rejects after that, the rejection counts as handled.
 */
export function abortable<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return Promise.resolve(promise)
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) {
      promise.then(undefined, () => {})
      reject(signal.reason)
      return
    }
    const forget = onAbort(signal, () => reject(signal.reason))
    promise.then(
      (value) => {
        forget()
        resolve(value)
      },
      (reason) => {
        forget()
        reject(reason)
      },
    )
  })
}
