/** The tasks of this program: imported by the client, which sends them, and by the worker, which runs them. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Celery } from 'celery'

/** With a queue of its own, so that a worker with other tasks on the same file does not take these. */
export const app = new Celery('quickstart', { notify: () => {}, settings: { taskDefaultQueue: 'quickstart' } })

/** What is known of a file once it was read. */
export interface FileReport {
  readonly path: string
  readonly sizeBytes: number
  readonly words: number
  readonly sha256: string
}

/** Reads a file once and hashes it and counts its words on the way. */
export const inspectFile = app.task('quickstart.inspectFile', async (path: string): Promise<FileReport> => {
  const hash = createHash('sha256')
  let sizeBytes = 0
  let words = 0
  let inWord = false
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    sizeBytes += chunk.length
    for (const byte of chunk) {
      // Space and the control characters below it, tab and line feed among them, end a word.
      const isLetter = byte > 32
      if (isLetter && !inWord) words++
      inWord = isLetter
    }
  }
  return { path, sizeBytes, words, sha256: hash.digest('hex') }
})
