import type { StoredState } from '../check/evidence.ts'
import { isTerminal } from '../check/evidence.ts'
import { openLedger } from '../ledger.ts'
import type { Testbed } from '../testbed/testbed.ts'

/** Reads results while the run goes on, and notes each state that it sees for the first time. */
export class ResultWatch {
  readonly #testbed: Testbed
  readonly #note: (line: string) => void
  readonly #seen = new Map<string, StoredState>()

  constructor(testbed: Testbed, directory: string) {
    this.#testbed = testbed
    this.#note = openLedger(directory, 'sightings')
  }

  /** Looks at the tasks that had no final state when it looked last. Resolves to those that have one now. */
  async look(tasks: Iterable<string>): Promise<string[]> {
    const open = [...tasks].filter((task) => !isTerminal(this.#seen.get(task)?.state))
    const ended: string[] = []
    for (const [task, seen] of await this.#testbed.results(open)) {
      const before = this.#seen.get(task)
      if (before?.state === seen.state && before.attempt === seen.attempt) continue
      this.#seen.set(task, seen)
      this.#note(`saw ${task} ${seen.state} ${seen.attempt ?? '-'} ${Date.now()}`)
      if (isTerminal(seen.state)) ended.push(task)
    }
    return ended
  }
}
