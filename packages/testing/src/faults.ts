import { BackendUnavailableError } from '@celery/backend'
import { type AbortableOptions, abortable } from '@celery/promises'
import { ConnectionLostError } from '@celery/transport'

/**
 * Where something can go wrong: a connection is opened, messages are published, fetched or settled (acknowledged, with
 * what follows), results are stored or read.
 */
export type FaultPoint = 'connect' | 'publish' | 'fetch' | 'settle' | 'store' | 'read'

export type Fault =
  /**
   * It is not done, and the caller gets `error`. @defaultValue a lost connection, or a store that is away, which callers
   * take for something that passes; any other error is final
   */
  | { readonly type: 'refuse'; readonly error?: Error }
  /** It is done, but the caller is told that the connection was lost: it cannot know. */
  | { readonly type: 'lose-reply' }
  /** It is done when `until` resolves. */
  | { readonly type: 'delay'; readonly until: Promise<unknown> }
  /** It is never done: only a caller with a deadline goes on. */
  | { readonly type: 'hang' }

export interface InjectOptions {
  /** How many calls it befalls; `Infinity` for all until `clear()`. @defaultValue `1` */
  readonly times?: number
}

interface Injected {
  readonly fault: Fault
  left: number
}

/** Makes broker and store fail, so that what code does about it can be tested. */
export class Faults {
  readonly #injected = new Map<FaultPoint, Injected[]>()
  readonly #calls = new Map<FaultPoint, number>()
  readonly #cut: () => Promise<void>

  constructor(cut: () => Promise<void>) {
    this.#cut = cut
  }

  /** The next calls at `point` meet the fault; several are met one after the other. */
  inject(point: FaultPoint, fault: Fault, options: InjectOptions = {}): void {
    const { times = 1 } = options
    if (!(times >= 1)) throw new RangeError(`a fault befalls one call or more, not ${times}`)
    this.#injected.set(point, [...(this.#injected.get(point) ?? []), { fault, left: times }])
  }

  /** Takes back the faults that nobody has met, of one point or of all. */
  clear(point?: FaultPoint): void {
    if (point === undefined) this.#injected.clear()
    else this.#injected.delete(point)
  }

  /** How often `point` was reached so far, faults or not. */
  calls(point: FaultPoint): number {
    return this.#calls.get(point) ?? 0
  }

  /** Ends all connections to the broker, as a broken wire does. What they held goes back to its queues. */
  async cut(): Promise<void> {
    await this.#cut()
  }

  /** Does `work` as the next fault of `point` has it. @internal */
  async perform<T>(point: FaultPoint, work: () => Promise<T>, { signal }: AbortableOptions = {}): Promise<T> {
    this.#calls.set(point, this.calls(point) + 1)
    const fault = this.#next(point)
    switch (fault?.type) {
      case undefined:
        break
      case 'refuse':
        throw fault.error ?? lost(point)
      case 'lose-reply':
        await work()
        throw lost(point)
      case 'delay':
        await abortable(fault.until, signal)
        break
      case 'hang':
        await abortable(new Promise<never>(() => {}), signal)
    }
    return work()
  }

  #next(point: FaultPoint): Fault | undefined {
    const [next, ...others] = this.#injected.get(point) ?? []
    if (next === undefined) return undefined
    next.left--
    if (next.left === 0) this.#injected.set(point, others)
    return next.fault
  }
}

function lost(point: FaultPoint): Error {
  const cause = new Error(`a fault that the test has put at "${point}"`)
  if (point !== 'store' && point !== 'read') return new ConnectionLostError('memory://', { cause })
  return new BackendUnavailableError('memory://', cause.message, { cause })
}
