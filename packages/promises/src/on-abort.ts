import { reportUncaught } from './report-uncaught.ts'

/** All that wait for one signal, behind one listener. */
interface Waiters {
  readonly callbacks: Set<() => void>
  readonly listener: () => void
}

const waitersOf = new WeakMap<AbortSignal, Waiters>()

/**
 * Calls `run` once when `signal` aborts; the returned function takes it back.
 *
 * A signal that lives as long as the process may have thousands waiting for it. However many there are, this puts one
 * listener on the signal, removes it with the last of them, and takes one back in constant time. Plain
 * `addEventListener` warns from the eleventh on (Node 20) and walks a list to remove.
 *
 * Nothing is called for a signal that has aborted before: check `signal.aborted` first.
 */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const { callbacks, listener } = waitersOf.get(signal) ?? listen(signal)
  // A function of its own, so that the same `run` may be given twice.
  const callback = (): void => run()
  callbacks.add(callback)
  return () => {
    if (callbacks.delete(callback) && callbacks.size === 0) unlisten(signal, listener)
  }
}

function listen(signal: AbortSignal): Waiters {
  const callbacks = new Set<() => void>()
  const listener = (): void => {
    unlisten(signal, listener)
    // A callback may take back another that has not run yet; the loop then skips that one.
    for (const callback of callbacks) {
      try {
        callback()
      } catch (error) {
        reportUncaught(error)
      }
    }
  }
  const waiters = { callbacks, listener }
  signal.addEventListener('abort', listener)
  waitersOf.set(signal, waiters)
  return waiters
}

function unlisten(signal: AbortSignal, listener: () => void): void {
  signal.removeEventListener('abort', listener)
  if (waitersOf.get(signal)?.listener === listener) waitersOf.delete(signal)
}
