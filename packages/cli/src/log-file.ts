import { closeSync, constants, fstatSync, openSync, statSync, writeSync } from 'node:fs'
import { writeToStderr } from '@celery/app/internal'
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
    this.#complain = options.complain ?? ((message) => writeToStderr(`celery: ${message}\n`))
    this.#now = options.now ?? (() => performance.now())
    this.#lookAt = this.#now() + lookEveryMs
    try {
      this.#fd = openLog(path)
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
    const fd = openLog(this.#path)
    closeSync(this.#fd)
    this.#fd = fd
  }
}

/** Not through a link, which somebody else may have put there; but `/dev/stdout` is one. */
function openLog(path: string): number {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants
  const noLink = path.startsWith('/dev/') ? 0 : (O_NOFOLLOW ?? 0)
  try {
    return openSync(path, O_APPEND | O_CREAT | O_WRONLY | noLink, 0o644)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error
    throw new Error('it is a link, which is not followed; name the file that it leads to', { cause: error })
  }
}
