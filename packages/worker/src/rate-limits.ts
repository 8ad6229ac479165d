import { type Clock, TokenBucket } from '@celery/promises'
import type { ActiveTask } from './active-task.ts'

export interface RateLimitsOptions {
  /** Tasks that may wait here for their turn, where the others can be parked. */
  readonly maxWaiting: number
  readonly clock: Clock
  /** It is this task's turn. */
  readonly submit: (task: ActiveTask) => void
  /** Leaves a task to the broker until a time, in milliseconds since 1970; absent where the broker cannot. */
  readonly park: ((task: ActiveTask, untilMs: number) => void) | undefined
}

/** Milliseconds: a task whose turn is not sooner than this is parked, and so keeps no room from others. */
const longestWaitMs = 1_000
/** Milliseconds for which a task is parked at most: another worker may have no such limit. */
const longestParkMs = 60_000

interface Limit {
  readonly bucket: TokenBucket
  readonly intervalMs: number
  /** First in, first out. */
  readonly waiting: ActiveTask[]
  /** Milliseconds since 1970 of the last turn given to a task that was parked. */
  parkedUntilMs: number
  cancelTimer: (() => void) | undefined
}

/**
 * Holds tasks back that would start more often than their rate limit allows, one bucket of capacity 1 for each kind of
 * task, as Celery does. There the ones that wait keep their places in the prefetch window, so that a few kinds of limited
 * tasks can keep all others out; here only those wait whose turn is soon, and the others go back to the broker until then.
 */
export class RateLimits {
  readonly #options: RateLimitsOptions
  readonly #limits = new Map<string, Limit>()
  #waiting = 0

  constructor(options: RateLimitsOptions) {
    this.#options = options
  }

  /** How many tasks wait here. */
  get waiting(): number {
    return this.#waiting
  }

  /** The tasks that wait here. */
  get tasks(): readonly ActiveTask[] {
    return [...this.#limits.values()].flatMap(({ waiting }) => waiting)
  }

  /** Submits the task now or when it is its turn, or parks it. */
  admit(task: ActiveTask, perSecond: number): void {
    const limit = this.#limitOf(task.name, perSecond)
    const { clock, maxWaiting, park, submit } = this.#options
    if (limit.waiting.length === 0 && limit.bucket.canConsume()) {
      submit(task)
      return
    }
    const turnInMs = limit.bucket.expectedTime() * 1_000 + limit.waiting.length * limit.intervalMs
    if (park !== undefined && (turnInMs > longestWaitMs || this.#waiting >= maxWaiting)) {
      const now = clock.now()
      const turn = Math.max(limit.parkedUntilMs + limit.intervalMs, now + turnInMs)
      limit.parkedUntilMs = Math.min(turn, now + longestParkMs)
      park(task, Math.ceil(limit.parkedUntilMs))
      return
    }
    limit.waiting.push(task)
    this.#waiting++
    if (limit.waiting.length === 1) this.#await(limit)
  }

  /** Gives up all that wait here and returns them. */
  release(): readonly ActiveTask[] {
    const { tasks } = this
    for (const { cancelTimer } of this.#limits.values()) cancelTimer?.()
    this.#limits.clear()
    this.#waiting = 0
    return tasks
  }

  #limitOf(name: string, perSecond: number): Limit {
    let limit = this.#limits.get(name)
    if (limit === undefined) {
      limit = {
        bucket: new TokenBucket({ fillRate: perSecond, clock: this.#options.clock }),
        intervalMs: 1_000 / perSecond,
        waiting: [],
        parkedUntilMs: Number.NEGATIVE_INFINITY,
        cancelTimer: undefined,
      }
      this.#limits.set(name, limit)
    }
    return limit
  }

  #await(limit: Limit): void {
    limit.cancelTimer = this.#options.clock.schedule(limit.bucket.expectedTime() * 1_000, () => {
      while (limit.waiting.length > 0 && limit.bucket.canConsume()) {
        this.#waiting--
        this.#options.submit(limit.waiting.shift() as ActiveTask)
      }
      if (limit.waiting.length > 0) this.#await(limit)
    })
  }
}
