import type { JobEntry } from './job-entry.ts'

/** Jobs that wait for a child, first in, first out. Taking one is cheap however many wait, and does not keep it. */
export class JobQueue {
  /** Those from `#head` on are there. */
  #entries: (JobEntry | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#entries.length - this.#head
  }

  push(entry: JobEntry): void {
    this.#entries.push(entry)
  }

  shift(): JobEntry | undefined {
    const entry = this.#entries[this.#head]
    if (entry === undefined) return undefined
    this.#entries[this.#head] = undefined
    this.#head += 1
    if (this.#head >= 1_024 && this.#head * 2 >= this.#entries.length) this.#compact()
    return entry
  }

  /** Puts jobs that had left the queue back in front, in their order. */
  putBack(entries: readonly JobEntry[]): void {
    this.#entries = [...entries, ...this.#entries.slice(this.#head)]
    this.#head = 0
  }

  /** Takes out all jobs that match. */
  take(matches: (entry: JobEntry) => boolean): JobEntry[] {
    this.#compact()
    const taken: JobEntry[] = []
    this.#entries = this.#entries.filter((entry) => {
      if (entry === undefined || !matches(entry)) return true
      taken.push(entry)
      return false
    })
    return taken
  }

  #compact(): void {
    this.#entries.splice(0, this.#head)
    this.#head = 0
  }
}
