import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What the worker and its processes say beside broker and result store, one line of JSON each, so that the judge need
 * not believe those. `received`: a task was taken to be run; `run`: it began; `revoked`: one was not run, because it had expired; `uncaught`: an error or a
 * rejection that nobody handled.
 */
export interface Note {
  readonly what: 'received' | 'run' | 'revoked' | 'uncaught'
  readonly text: string
}

function notesPath(directory: string): string {
  return join(directory, 'notes')
}

export function appendNote(directory: string, note: Note): void {
  appendFileSync(notesPath(directory), `${JSON.stringify(note)}\n`)
}

/** Reads what was appended since it last looked. */
export class NoteReader {
  readonly #path: string
  #read = 0

  constructor(directory: string) {
    this.#path = notesPath(directory)
    appendFileSync(this.#path, '')
  }

  next(): Note[] {
    const bytes = readFileSync(this.#path)
    const end = bytes.lastIndexOf(0x0a) + 1
    const lines = bytes.subarray(this.#read, end).toString('utf8').split('\n').slice(0, -1)
    this.#read = end
    return lines.map((line) => JSON.parse(line) as Note)
  }
}
