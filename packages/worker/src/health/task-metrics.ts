import type { TraceOutcome } from '@celery/app/internal'

type TraceState = TraceOutcome['state']

/** What came of the tasks of one name. */
export interface TaskCounts {
  received: number
  started: number
  succeeded: number
  failed: number
  retried: number
  rejected: number
  ignored: number
  revoked: number
  /** Seconds, of all that ran. */
  runtimeSum: number
  runtimeCount: number
  /** For each of {@link runtimeBounds} how many ran that long at most, and longer than the bound before. */
  readonly runtimes: number[]
}

/** Upper bounds in seconds. */
export const runtimeBounds: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Names that are counted one by one. */
const mostNames = 500

/** Under which the others are counted. */
export const otherName = '(other)'

/**
 * Counts tasks by name. Names come from what is declared here, never from messages alone; beyond 500 they share one entry, so
 * that neither memory nor whoever collects the numbers is flooded.
 */
export class TaskMetrics {
  #refused = 0
  readonly #counts = new Map<string, TaskCounts>()
  readonly #isKnown: (name: string) => boolean

  /** @param isKnown whether a task of that name is declared here */
  constructor(isKnown: (name: string) => boolean) {
    this.#isKnown = isKnown
  }

  /** A message was given to the dead letters before anything ran. */
  refuse(): void {
    this.#refused++
  }

  received(name: string): void {
    this.#of(name).received++
  }

  started(name: string): void {
    this.#of(name).started++
  }

  /** @param runtime seconds */
  ended(name: string, state: TraceState, runtime: number): void {
    const counts = this.#of(name)
    counts[fieldOf[state]]++
    counts.runtimeSum += runtime
    counts.runtimeCount++
    const index = runtimeBounds.findIndex((bound) => runtime <= bound)
    if (index !== -1) counts.runtimes[index] = (counts.runtimes[index] ?? 0) + 1
  }

  /** It was lost, ran out of its time, or cannot be told of: nobody knows how long it ran. */
  failed(name: string): void {
    this.#of(name).failed++
  }

  revoked(name: string): void {
    this.#of(name).revoked++
  }

  /** Messages that were given to the dead letters before anything ran. */
  get refused(): number {
    return this.#refused
  }

  entries(): IterableIterator<[name: string, counts: Readonly<TaskCounts>]> {
    return this.#counts.entries()
  }

  #of(name: string): TaskCounts {
    return this.#counts.get(name) ?? this.#add(name)
  }

  #add(name: string): TaskCounts {
    const isOwn = this.#counts.size < mostNames && this.#isKnown(name)
    const key = isOwn ? name : otherName
    const known = this.#counts.get(key)
    if (known !== undefined) return known
    const counts: TaskCounts = {
      received: 0,
      started: 0,
      succeeded: 0,
      failed: 0,
      retried: 0,
      rejected: 0,
      ignored: 0,
      revoked: 0,
      runtimeSum: 0,
      runtimeCount: 0,
      runtimes: runtimeBounds.map(() => 0),
    }
    this.#counts.set(key, counts)
    return counts
  }
}

const fieldOf = {
  SUCCESS: 'succeeded',
  FAILURE: 'failed',
  RETRY: 'retried',
  REJECTED: 'rejected',
  IGNORED: 'ignored',
} as const satisfies Record<TraceState, keyof TaskCounts>
