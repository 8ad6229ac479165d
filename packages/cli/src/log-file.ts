import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs'
import { LogFileError } from './cli-errors.ts'

/** Milliseconds between two looks at whether the file was moved away. */
const lookEveryMs = 1_000

/**
 * A file that a log is appended to. One that was moved or removed meanwhile, by `logrotate` for example, is made anew, as
 * Celery's `WatchedFileHandler` does. A disk that is full costs lines, which is said once on standard error, and no task.
 */
export class LogFile implements Disposable {
  readonly #path: string
  readonly #complain: (message: string) => void
  readonly #now: () => number
  #fd: number
  #lookAt: number
  #isFailing = false
  #isClosed = false

  /**
   * @param options.now milliseconds on a monotonic clock. Default: `performance.now`
   * @throws LogFileError if it cannot be opened
   */
  constructor(
    path: string,
    options: { readonly complain?: (message: string) => void; readonly now?: () => number } = {},
  ) {
    this.#path = path
    this.#complain = options.complain ?? ((message) => process.stderr.write(`celery: ${message}\n`))
    this.#now = options.now ?? (() => performance.now())
    this.#lookAt = this.#now() + lookEveryMs
    try {
      this.#fd = openSync(path, 'a', 0o644)
    } catch (error) {
      throw new LogFileError(path, error)
    }
  }

  write(line: string): void {
    if (this.#isClosed) return
    try {
      this.#follow()
      writeSync(this.#fd, line)
      this.#isFailing = false
    } catch (error) {
      if (this.#isFailing) return
      this.#isFailing = true
      this.#complain(`cannot write to the log file ${this.#path}: ${(error as Error).message}`)
    }
  }

  /** What is written afterwards is dropped. */
  [Symbol.dispose](): void {
    this.#isClosed = true
    closeSync(this.#fd)
  }

  #follow(): void {
    if (this.#now() < this.#lookAt) return
    this.#lookAt = this.#now() + lookEveryMs
    const there = statSync(this.#path, { throwIfNoEntry: false })
    const ours = fstatSync(this.#fd)
    if (there?.ino === ours.ino && there.dev === ours.dev) return
    const fd = openSync(this.#path, 'a', 0o644)
    closeSync(this.#fd)
    this.#fd = fd
  }
}
