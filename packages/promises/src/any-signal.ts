import { onAbort } from './on-abort.ts'

/** One signal that follows several, until disposed. */
export interface AnySignal extends Disposable {
  /** Aborts with the reason of the first source that aborts. */
  readonly signal: AbortSignal
  /** Stops following the sources. `signal` never aborts after this. Safe twice. */
  [Symbol.dispose](): void
}

/**
 * Joins signals for the length of one operation; `undefined` ones are left out.
 *
 * Use this in place of `AbortSignal.any()` when a source outlives the operation. Node 20 keeps a record in such a source
 * for every signal ever made from it (nodejs/node issues 54614 and 55351); here the end of the scope removes it:
 *
 * ```ts
 * using joined = anySignal(options.signal, shutdown)
 * await fetch(url, { signal: joined.signal })
 * ```
 */
export function anySignal(...sources: readonly (AbortSignal | undefined)[]): AnySignal {
  const controller = new AbortController()
  const forgets: (() => void)[] = []
  const forgetAll = (): void => {
    for (const forget of forgets.splice(0)) forget()
  }
  for (const source of sources) {
    if (source === undefined) continue
    if (source.aborted) {
      forgetAll()
      controller.abort(source.reason)
      break
    }
    forgets.push(
      onAbort(source, () => {
        forgetAll()
        controller.abort(source.reason)
      }),
    )
  }
  return { signal: controller.signal, [Symbol.dispose]: forgetAll }
}
