import type { Celery, Retry, TaskRequest } from '@celery/app'
import { EndlessTasksError } from './errors.ts'

/** What came of one run of a task. */
export type TaskRun<Result = unknown> = RunFacts &
  (
    | { readonly state: 'SUCCESS'; readonly result: Result }
    | { readonly state: 'FAILURE'; readonly error: unknown }
    /** It asked to run again; `error.exc` is why. The next run is among what was sent, with one retry more. */
    | { readonly state: 'RETRY'; readonly error: Retry }
    /** It threw `Ignore` or `Reject`. */
    | { readonly state: 'IGNORED' | 'REJECTED'; readonly error: unknown }
    /** It was not run, as it came too late. */
    | { readonly state: 'REVOKED'; readonly error: Error }
  )

export interface RunFacts {
  readonly task: string
  readonly id: string
  /** Empty where the message could not be read. */
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  /** 0 for the first run. */
  readonly retries: number
}

/** Keeps what came of every run of the app's tasks, in the order in which they ended. */
export class RunLog implements Disposable {
  readonly runs: TaskRun[] = []
  readonly #running = new Map<string, string>()
  readonly #limits = new Set<() => void>()
  readonly #disconnect: readonly (() => void)[]

  constructor({ signals }: Celery) {
    this.#disconnect = [
      signals.taskPrerun.connect(({ request }) => void this.#running.set(request.id, titleOf(request))),
      signals.taskPostrun.connect(({ request, result, state }) => this.#ended(request, state, result)),
      // The ones that do not run, or not to their end, have no postrun.
      signals.taskFailure.connect(({ error, request }) => this.#add({ ...factsOf(request), state: 'FAILURE', error })),
      signals.taskRevoked.connect(({ reason, request }) =>
        this.#add({ ...factsOf(request), state: 'REVOKED', error: reason }),
      ),
    ]
  }

  /** Tasks that run now: `tasks.add[7c6a…]`. */
  get running(): readonly string[] {
    return [...this.#running.values()]
  }

  /** Aborts with {@link EndlessTasksError} after more than `maxRuns` further runs. */
  limit(maxRuns: number): Disposable & { readonly signal: AbortSignal } {
    const controller = new AbortController()
    const most = this.runs.length + maxRuns
    const check = (): void => {
      if (this.runs.length > most) controller.abort(new EndlessTasksError(maxRuns, this.runs.at(-1)?.task))
    }
    this.#limits.add(check)
    return { signal: controller.signal, [Symbol.dispose]: () => void this.#limits.delete(check) }
  }

  [Symbol.dispose](): void {
    for (const disconnect of this.#disconnect) disconnect()
  }

  #ended(request: TaskRequest, state: string, result: unknown): void {
    const facts = factsOf(request)
    this.#running.delete(request.id)
    switch (state) {
      case 'SUCCESS':
        this.#add({ ...facts, state, result })
        break
      case 'RETRY':
        this.#add({ ...facts, state, error: result as Retry })
        break
      case 'IGNORED':
      case 'REJECTED':
        this.#add({ ...facts, state, error: result })
    }
  }

  #add(run: TaskRun): void {
    this.#running.delete(run.id)
    this.runs.push(run)
    for (const check of this.#limits) check()
  }
}

function factsOf({ args, id, kwargs, retries, task }: TaskRequest): RunFacts {
  return { task, id, args, kwargs, retries }
}

function titleOf({ id, task }: TaskRequest): string {
  return `${task}[${id}]`
}
