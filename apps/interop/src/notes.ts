import { appendFileSync, readFileSync } from 'node:fs'
import type { Language } from './setup.ts'
import { patienceMs, until } from './until.ts'

/**
 * What a task says beside broker and result store, a line of JSON each. `started`: it began and waits for its gate; `run`: it
 * did what it is for; `report`: it was told of the task that failed.
 */
export interface Note {
  readonly what: 'started' | 'run' | 'report'
  readonly text: string
  readonly language: Language
  /** Seconds since 1970. */
  readonly at: number
}

export function appendNote(path: string, note: Omit<Note, 'at'>): void {
  appendFileSync(path, `${JSON.stringify({ ...note, at: Date.now() / 1000 })}\n`)
}

/** The notes of one run. */
export class Notes {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
    appendFileSync(path, '')
  }

  /** All whose text begins so, in order. */
  of(prefix: string, what?: Note['what']): Note[] {
    return readFileSync(this.#path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Note)
      .filter((note) => note.text.startsWith(prefix) && (what === undefined || note.what === what))
  }

  /** Resolves to the first that fit, when there are as many. */
  async wait(count: number, prefix: string, what: Note['what'], limitMs: number = patienceMs): Promise<Note[]> {
    const look = async (): Promise<Note[] | undefined> => {
      const found = this.of(prefix, what)
      return found.length >= count ? found : undefined
    }
    return until(`${count} notes "${what}" of ${prefix}`, look, limitMs)
  }
}
