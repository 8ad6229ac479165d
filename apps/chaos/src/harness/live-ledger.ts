import { closeSync, openSync, readSync } from 'node:fs'
import { type CallTask, tasksOf } from '../calls.ts'
import { type LedgerEntry, type LedgerName, ledgerPath, parseLedger } from '../ledger.ts'

interface RunningAttempt {
  readonly task: string
  readonly pid: number
  readonly workerPid: number
}

/** Follows the ledgers that the processes of the run write, and keeps what the injector has to know of them. */
export class LiveLedger {
  /** Everything read so far. */
  readonly entries: LedgerEntry[] = []
  /** Times at which tasks ended for the first time. */
  readonly endTimes: number[] = []
  /** Tasks whose results are to be looked for. */
  readonly awaited: Map<string, CallTask> = new Map()
  readonly #followers: readonly Follower[]
  readonly #sessions = new Map<number, string[]>()
  readonly #running = new Map<string, RunningAttempt>()
  readonly #lastPid = new Map<string, number>()
  readonly #ended = new Set<string>()
  readonly #unanswered = new Set<string>()

  constructor(directory: string) {
    this.#followers = (['client', 'tasks'] as const).map((name) => new Follower(directory, name))
  }

  /** Reads what was written since the last time. */
  read(): void {
    for (const follower of this.#followers) {
      for (const entry of follower.read()) {
        this.entries.push(entry)
        this.#note(entry)
      }
    }
  }

  /** Sessions of the broker under which the process has fetched. */
  sessionsOf(pid: number): readonly string[] {
    return this.#sessions.get(pid) ?? []
  }

  /** Tasks that have started and not ended, where `pid` is the process that runs them or its worker. */
  runningOn(pid: number): string[] {
    return [...this.#running.values()]
      .filter((attempt) => attempt.pid === pid || attempt.workerPid === pid)
      .map(({ task }) => task)
  }

  /** Pool processes of a worker that are running a task. */
  busyChildren(workerPid: number): number[] {
    const pids = new Set<number>()
    for (const attempt of this.#running.values()) if (attempt.workerPid === workerPid) pids.add(attempt.pid)
    return [...pids]
  }

  /** Process in which the task started last. */
  lastPid(task: string): number | undefined {
    return this.#lastPid.get(task)
  }

  /** Publishes that have not been answered. */
  get unanswered(): number {
    return this.#unanswered.size
  }

  /** The client was killed: what it was publishing will never be answered. */
  buryClient(): void {
    this.read()
    this.#unanswered.clear()
  }

  close(): void {
    for (const follower of this.#followers) follower.close()
  }

  #note(entry: LedgerEntry): void {
    switch (entry.type) {
      case 'sent':
        this.#unanswered.add(entry.call)
        for (const task of tasksOf(entry.call, entry.kind)) if (task.keepsResult) this.awaited.set(task.id, task)
        break
      case 'ok':
      case 'error':
        this.#unanswered.delete(entry.call)
        break
      case 'session':
        this.#sessions.set(entry.pid, [...new Set([...this.sessionsOf(entry.pid), entry.session])])
        break
      case 'start':
        this.#running.set(entry.attempt, entry)
        this.#lastPid.set(entry.task, entry.pid)
        break
      case 'end':
        this.#running.delete(entry.attempt)
        if (this.#ended.has(entry.task)) break
        this.#ended.add(entry.task)
        this.endTimes.push(entry.time)
        break
      default:
    }
  }

  /** What was running in a process ended with it. */
  bury(pid: number): void {
    for (const [id, attempt] of this.#running) {
      if (attempt.pid === pid || attempt.workerPid === pid) this.#running.delete(id)
    }
  }
}

/** Reads whole lines from a file that others append to. */
class Follower {
  readonly #file: number
  readonly #buffer: Buffer = Buffer.alloc(256 * 1024)
  #position = 0
  #rest = ''

  constructor(directory: string, name: LedgerName) {
    // Makes the file, so that there is one to follow.
    this.#file = openSync(ledgerPath(directory, name), 'a+', 0o600)
  }

  read(): LedgerEntry[] {
    let text = this.#rest
    for (;;) {
      const length = readSync(this.#file, this.#buffer, 0, this.#buffer.length, this.#position)
      if (length === 0) break
      this.#position += length
      // A ledger is ASCII, so a portion never ends within a character.
      text += this.#buffer.toString('latin1', 0, length)
    }
    const end = text.lastIndexOf('\n') + 1
    this.#rest = text.slice(end)
    return parseLedger(text.slice(0, end))
  }

  close(): void {
    closeSync(this.#file)
  }
}
