import {
  closeSync,
  constants,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { PidFileError } from './cli-errors.ts'

/**
 * Says in a file which process this is, so that there is one of it only. A file whose process has ended, or whose process
 * is younger than the file and so another one with the same number, is stale and replaced. Removed when disposed.
 */
export class PidFile implements Disposable {
  readonly #path: string

  /** @throws PidFileError if its process runs, or if the file cannot be written */
  constructor(path: string) {
    this.#path = path
    const owner = readOwner(path)
    if (owner === 'unreadable')
      throw new PidFileError(path, 'it exists and holds no process id; remove it if it is not needed')
    if (owner !== undefined) {
      if (isRunning(owner, path)) throw new PidFileError(path, `process ${owner} runs already`)
      this.#removeStale(owner)
    }
    this.#create()
  }

  [Symbol.dispose](): void {
    // Somebody may have put another one there meanwhile.
    if (readOwner(this.#path) === process.pid) unlinkSync(this.#path)
  }

  /** Taken aside first: of two that find the same stale file, the second must not remove what the first has made meanwhile. */
  #removeStale(owner: number): void {
    const aside = `${this.#path}.${process.pid}.stale`
    renameSync(this.#path, aside)
    const taken = readOwner(aside)
    if (taken !== owner) linkSync(aside, this.#path)
    unlinkSync(aside)
    if (taken !== owner) throw new PidFileError(this.#path, `process ${taken} has just taken it`)
  }

  #create(): void {
    try {
      const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
      const fd = openSync(this.#path, O_CREAT | O_EXCL | O_WRONLY | (O_NOFOLLOW ?? 0), 0o644)
      try {
        writeSync(fd, `${process.pid}\n`)
      } catch (error) {
        unlinkSync(this.#path)
        throw error
      } finally {
        closeSync(fd)
      }
    } catch (error) {
      throw new PidFileError(this.#path, (error as Error).message, { cause: error })
    }
  }
}

function readOwner(path: string): number | 'unreadable' | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new PidFileError(path, (error as Error).message, { cause: error })
  }
  return /^\d+\s*$/.test(text) && Number(text) > 0 ? Number(text) : 'unreadable'
}

function isRunning(pid: number, path: string): boolean {
  // In a container every start may have the same number.
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it runs, and belongs to someone else.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const startedAt = startOf(pid)
  return startedAt === undefined || startedAt <= statSync(path).mtimeMs + clockErrorMs
}

/** Milliseconds by which the start of a process as Linux tells it may be late: it counts in hundredths, from a rounded time of boot. */
const clockErrorMs = 2_000

/** When a process started, in milliseconds since 1970, where `/proc` tells. */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // After the name in parentheses, which may hold anything: field 22, in ticks of 10 ms since the boot.
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    const bootSeconds = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1])
    const startedAt = bootSeconds * 1_000 + ticks * 10
    return Number.isNaN(startedAt) ? undefined : startedAt
  } catch {
    // Not Linux, or it has ended just now.
    return undefined
  }
}
