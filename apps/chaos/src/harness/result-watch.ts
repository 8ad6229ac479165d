import { sqlite } from '@celery/backend-sqlite'
import type { StoredState } from '../check/evidence.ts'
import { isTerminal } from '../check/evidence.ts'
import { openLedger } from '../ledger.ts'
import { resultFile, type Setup, sqliteUrl } from '../setup.ts'

type Backend = Awaited<ReturnType<typeof sqlite.open>>

/** Reads results while the run goes on, and notes each state that it sees for the first time. */
export class ResultWatch implements AsyncDisposable {
  readonly #backend: Backend
  readonly #note: (line: string) => void
  readonly #seen = new Map<string, StoredState>()

  private constructor(backend: Backend, note: (line: string) => void) {
    this.#backend = backend
    this.#note = note
  }

  static async open(setup: Setup): Promise<ResultWatch> {
    const backend = await sqlite.open(sqliteUrl(resultFile(setup)))
    return new ResultWatch(backend, openLedger(setup.directory, 'sightings'))
  }

  /** Looks at the tasks that had no final state when it looked last. Resolves to those that have one now. */
  async look(tasks: Iterable<string>): Promise<string[]> {
    const open = [...tasks].filter((task) => !isTerminal(this.#seen.get(task)?.state))
    const ended: string[] = []
    for (const [task, seen] of await this.read(open)) {
      const before = this.#seen.get(task)
      if (before?.state === seen.state && before.attempt === seen.attempt) continue
      this.#seen.set(task, seen)
      this.#note(`saw ${task} ${seen.state} ${seen.attempt ?? '-'} ${Date.now()}`)
      if (isTerminal(seen.state)) ended.push(task)
    }
    return ended
  }

  /** What the store holds now. */
  async read(tasks: Iterable<string>): Promise<Map<string, StoredState>> {
    const states = new Map<string, StoredState>()
    for (const [task, { state, record }] of await this.#backend.fetch([...tasks])) {
      states.set(task, { state, ...sourceOf(String(record)) })
    }
    return states
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backend.close()
  }
}

/** Tasks return the attempt or fail with it as their message. */
function sourceOf(record: string): Pick<StoredState, 'attempt' | 'error'> {
  const { result } = JSON.parse(record) as { readonly result?: unknown }
  const failure = result as { readonly exc_type?: unknown; readonly exc_message?: readonly unknown[] } | null
  const text = typeof result === 'string' ? result : failure?.exc_message?.[0]
  if (typeof text === 'string' && /^[\w-]+$/.test(text)) return { attempt: text }
  return { attempt: undefined, ...(text === undefined ? {} : { error: `${failure?.exc_type}: ${text}` }) }
}
