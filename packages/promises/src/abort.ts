/** Ends the options of everything that does I/O or waits. */
export interface AbortableOptions {
  /** Gives up waiting; the call then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** Rejects with `signal.reason` as soon as `signal` aborts, else settles as `promise` does. `promise` itself goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
