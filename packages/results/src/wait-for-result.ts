import { isDeepStrictEqual } from 'node:util'
import { type AbortableOptions, abortable, deferred, onAbort } from '@celery/promises'
import { PROPAGATE_STATES, READY_STATES } from '@celery/protocol'
import { ResultTimeoutError, type SentCall } from './errors.ts'
import type { ResultReader } from './result-reader.ts'
import type { TaskMeta } from './task-meta.ts'

export interface WaitOptions extends AbortableOptions {
  /** Seconds to wait. `0` looks once; more than 24 days is no limit. @defaultValue no limit */
  readonly timeout?: number | undefined
  /** Told of every state that is found while waiting, once for as long as it lasts. @defaultValue nobody */
  readonly onMessage?: ((meta: TaskMeta) => void) | undefined
  /** Seconds between reads of the store on top of those that it asks for itself by telling of a change. @defaultValue none */
  readonly interval?: number | undefined
}

/** Of the task that is waited for. */
export interface About {
  readonly taskId: string
  readonly sent: SentCall | undefined
  /** Whether it was sent just now, so that there can hardly be anything yet: then it watches before it looks. */
  readonly isFresh: boolean
}

/**
 * Waits until the task has ended, or one of its `ancestors` (the root first) in a way that it can never run, and resolves
 * to what that one left.
 *
 * It looks, watches, and looks again, so that nothing that happens before or between is missed. The first look is for those
 * who come late, and spares them the watch.
 *
 * @throws ResultTimeoutError, `options.signal`'s reason, what the store throws, or ResultReaderClosedError
 */
export async function waitForResult(
  reader: ResultReader,
  about: About,
  ancestors: readonly string[],
  options: WaitOptions = {},
): Promise<TaskMeta> {
  const { taskId, sent, isFresh } = about
  const waiting = new Waiting(reader, [...ancestors, taskId], about, options.onMessage)
  const stopTimer = waiting.limit(options.timeout)
  const stayOpen = waiting.endWith(reader.closing)
  const stayWanted = options.signal && waiting.endWith(options.signal)
  try {
    const looksOnce = options.timeout !== undefined && options.timeout <= 0
    const known = isFresh && !looksOnce ? undefined : await waiting.look()
    if (known !== undefined) return known
    if (looksOnce) throw new ResultTimeoutError(taskId, options.timeout, waiting.lastState, sent)
    return await waiting.watch(options.interval)
  } finally {
    stopTimer()
    stayOpen()
    stayWanted?.()
  }
}

class Waiting {
  readonly #reader: ResultReader
  readonly #line: readonly string[]
  readonly #about: About
  readonly #onMessage: WaitOptions['onMessage']
  readonly #ended = new AbortController()
  lastState: string | undefined
  #told: TaskMeta | undefined

  constructor(reader: ResultReader, line: readonly string[], about: About, onMessage: WaitOptions['onMessage']) {
    this.#reader = reader
    this.#line = line
    this.#about = about
    this.#onMessage = onMessage
  }

  limit(timeout: number | undefined): () => void {
    if (timeout === undefined || timeout <= 0 || timeout * 1000 > LONGEST_TIMER_MS) return () => undefined
    return this.#reader.clock.schedule(timeout * 1000, () => {
      const { sent, taskId } = this.#about
      this.#ended.abort(new ResultTimeoutError(taskId, timeout, this.lastState, sent))
    })
  }

  endWith(signal: AbortSignal): () => void {
    const end = (): void => this.#ended.abort(signal.reason)
    if (signal.aborted) end()
    return onAbort(signal, end)
  }

  async look(): Promise<TaskMeta | undefined> {
    const metas = await abortable(this.#reader.read(this.#line), this.#ended.signal)
    const own = metas.at(-1)
    this.lastState = own?.state
    if (own !== undefined) this.#tell(own)
    if (own !== undefined && READY_STATES.has(own.state)) return own
    // What comes after such a step in a chain is never sent.
    return metas.find((meta) => PROPAGATE_STATES.has(meta.state))
  }

  async watch(interval: number | undefined): Promise<TaskMeta> {
    let changed = deferred()
    const watch = this.#reader.watch(this.#line, () => changed.resolve())
    try {
      await abortable(watch.opened, this.#ended.signal)
      for (;;) {
        // Renewed before the look, so that a change during it causes another one.
        changed = deferred()
        const known = await this.look()
        if (known !== undefined) return known
        const stopTimer = this.#wakeAfter(interval, changed.resolve)
        await abortable(changed.promise, this.#ended.signal).finally(stopTimer)
      }
    } finally {
      watch.leave()
    }
  }

  /** Not again of what has been told; nothing that is stored is no message. */
  #tell(meta: TaskMeta): void {
    const onMessage = this.#onMessage
    if (onMessage === undefined || meta.state === 'PENDING') return
    if (this.#told?.state === meta.state && isDeepStrictEqual(this.#told.result, meta.result)) return
    this.#told = meta
    onMessage(meta)
  }

  #wakeAfter(interval: number | undefined, wake: () => void): () => void {
    return interval === undefined ? () => undefined : this.#reader.clock.schedule(interval * 1000, wake)
  }
}

/** A longer one, as of `timeout: Infinity`, would go off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
