import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { CeleryError } from '@celery/promises'
import type { Database } from './database.ts'

export interface WatchOptions {
  /** Milliseconds between two looks at a file that was just busy, for what the operating system did not tell us. @defaultValue `50` */
  readonly minPollMs?: number
  /** The same for a file at rest. @defaultValue `250` */
  readonly maxPollMs?: number
  /** Whether to ask the operating system to tell of changes; without, it only polls. @defaultValue `true` */
  readonly fileEvents?: boolean
  /** Called when the file cannot be asked, for example because it was moved away; the watch goes on. */
  readonly onError?: (error: unknown) => void
}

/** What is asked of the connection that watches. */
export type WatchedDatabase = Pick<Database, 'path' | 'dataVersion' | 'checkPresent'>

export interface DatabaseWatch {
  /** Ends it. Safe twice. */
  close(): void
}

/**
 * Calls `onChange` after another connection, of this or another process, has committed to the file. It learns of it
 * from the operating system within a millisecond or so, and makes sure by asking SQLite's `data_version`. It polls
 * besides, because file events are a hint: they get lost when many come at once, and some file systems have none.
 * Does not keep the process alive. Calls may be spurious.
 */
export function watchDatabase(
  database: WatchedDatabase,
  onChange: () => void,
  options: WatchOptions = {},
): DatabaseWatch {
  return new FileWatch(database, onChange, options)
}

/** Milliseconds after which to look once more, and once more, for a commit that an event has announced. */
const echoesMs = [1, 3, 9]

class FileWatch implements DatabaseWatch {
  readonly #database: WatchedDatabase
  readonly #onChange: () => void
  readonly #onError: (error: unknown) => void
  readonly #minPollMs: number
  readonly #maxPollMs: number
  #watcher: FSWatcher | undefined
  #pollMs: number
  #timer: NodeJS.Timeout | undefined
  #looking: NodeJS.Immediate | undefined
  #echo: NodeJS.Timeout | undefined
  #version: number | undefined
  #closed = false

  constructor(database: WatchedDatabase, onChange: () => void, options: WatchOptions) {
    this.#database = database
    this.#onChange = onChange
    this.#onError = options.onError ?? (() => {})
    this.#minPollMs = options.minPollMs ?? 50
    this.#maxPollMs = options.maxPollMs ?? 250
    this.#pollMs = this.#minPollMs
    this.#watcher = options.fileEvents === false ? undefined : this.#watchFolder()
    this.#version = this.#read()
    this.#schedule()
  }

  close(): void {
    this.#closed = true
    this.#watcher?.close()
    clearTimeout(this.#timer)
    clearImmediate(this.#looking)
    clearTimeout(this.#echo)
  }

  /** The folder, because the log goes away with its last user and a watch on the file would go with it. */
  #watchFolder(): FSWatcher | undefined {
    const log = `${basename(this.#database.path)}-wal`
    try {
      const watcher = watch(dirname(this.#database.path), { persistent: false }, (_event, name) => {
        if (name === null || name === log) this.#lookSoon()
      })
      // Out of watches, or the folder is gone: polling goes on.
      watcher.on('error', () => watcher.close())
      return watcher
    } catch {
      return undefined
    }
  }

  /** One commit is several writes to the log and as many events, so ask once after all that have arrived. */
  #lookSoon(): void {
    if (this.#closed) return
    this.#looking ??= setImmediate(() => {
      this.#looking = undefined
      this.#lookAgain(0)
    })
  }

  /**
   * The event comes with the write to the log, and a look right then can be too early: the commit shows in
   * `data_version` only when the writer has gone on to say so in the shared memory.
   */
  #lookAgain(times: number): void {
    if (this.#look() || this.#closed) return
    const delayMs = echoesMs[times]
    if (delayMs === undefined) return
    clearTimeout(this.#echo)
    this.#echo = setTimeout(() => this.#lookAgain(times + 1), delayMs).unref()
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#pollMs = Math.min(this.#pollMs * 1.5, this.#maxPollMs)
      this.#checkPresent()
      this.#look()
      if (!this.#closed) this.#schedule()
    }, this.#pollMs)
    this.#timer.unref()
  }

  /** A file that was moved away never changes again, so nothing else would tell. */
  #checkPresent(): void {
    try {
      this.#database.checkPresent()
    } catch (error) {
      this.#onError(error)
    }
  }

  /** Returns whether there was a change. */
  #look(): boolean {
    if (this.#closed) return false
    const version = this.#read()
    if (version === undefined || version === this.#version) return false
    this.#version = version
    this.#pollMs = this.#minPollMs
    this.#onChange()
    return true
  }

  #read(): number | undefined {
    try {
      return this.#database.dataVersion()
    } catch (error) {
      // Locked for a moment: the next event or poll asks again.
      if (!CeleryError.is(error, 'ERR_CELERY_DATABASE_BUSY')) this.#onError(error)
      return undefined
    }
  }
}
