import type { AbortableOptions } from './abort.ts'
import { type Clock, systemClock } from './clock.ts'
import { onAbort } from './on-abort.ts'

/** How {@link sleep} waits. */
export interface SleepOptions extends AbortableOptions {
  /** Whose time to sleep by. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
  /** Lets the process end while this sleep is all it has left to do. @defaultValue `false` */
  readonly unref?: boolean | undefined
}

/** Resolves after `ms` milliseconds, or rejects with `signal.reason` at once when the signal aborts. */
export function sleep(ms: number, options: SleepOptions = {}): Promise<void> {
  const { signal, clock = systemClock, unref = false } = options
  return new Promise<void>((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason)
      return
    }
    const cancel = clock.schedule(
      ms,
      () => {
        forget?.()
        resolve()
      },
      { unref },
    )
    const forget =
      signal &&
      onAbort(signal, () => {
        cancel()
        reject(signal.reason)
      })
  })
}
