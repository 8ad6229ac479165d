import { type AbortableOptions, CeleryError, type Deferred, deferred, onAbort, sleep } from '@celery/promises'
import { type Database, DatabaseBusyError } from '@celery/sqlite'

export interface GroupCommitHooks {
  /** Runs first in every transaction. `blockedMs`: for how long before it nobody, or only we, could write; 0 as a rule. */
  begin(blockedMs: number): void
  /** Runs last. */
  beforeCommit(): void
  /** Runs after a transaction was rolled back. */
  rolledBack(): void
}

/**
 * Puts operations that are asked for in the same turn of the event loop into one transaction, because a transaction
 * costs more than most operations: a hundred publishes side by side become one commit, and so do a settle and the
 * fetch that follows it. Each operation still succeeds or fails by itself. While another process has the file locked
 * they wait here, without blocking the event loop.
 */
export class GroupCommit {
  readonly #database: Database
  readonly #hooks: GroupCommitHooks
  readonly #deadlineMs: number
  #pending: Operation[] = []
  #draining: Promise<void> | undefined
  #turnStarted: number | undefined
  /** Since when we have waited for the file. */
  #waitingSince: number | undefined
  /** When we held up the file ourselves. */
  #stall: { readonly started: number; readonly ended: number } | undefined

  constructor(database: Database, deadlineMs: number, hooks: GroupCommitHooks) {
    this.#database = database
    this.#hooks = hooks
    this.#deadlineMs = deadlineMs
  }

  /**
   * Resolves with what `run` returned, once that is committed. `run` may be called again after a rollback, so it
   * changes nothing but the database.
   * @throws DatabaseBusyError if the file stays locked; `signal.reason` if aborted before it was committed
   */
  submit<T>(run: () => T, options: AbortableOptions = {}): Promise<T> {
    const { signal } = options
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const settled = deferred<T>()
    const operation: Operation = {
      run,
      settled: settled as Deferred<unknown>,
      deadline: performance.now() + this.#deadlineMs,
      ignoreAbort: undefined,
      isDone: false,
      result: undefined,
    }
    if (signal !== undefined) operation.ignoreAbort = onAbort(signal, () => reject(operation, signal.reason))
    this.#pending.push(operation)
    this.#draining ??= Promise.resolve().then(() => this.#drain())
    return settled.promise
  }

  /** Resolves when nothing is waiting to be committed. */
  idle(): Promise<void> {
    return this.#draining ?? Promise.resolve()
  }

  /** Rejects what still waits. */
  abandon(error: Error): void {
    for (const operation of this.#pending) reject(operation, error)
    this.#pending = []
  }

  async #drain(): Promise<void> {
    for (let attempt = 0; this.#pending.length > 0; ) {
      if (this.#turnIsLong()) await nextTurn()
      this.#pending = this.#pending.filter((operation) => !operation.isDone)
      const group = this.#pending
      try {
        this.#commit(group)
        attempt = 0
      } catch (error) {
        if (!CeleryError.is(error, 'ERR_CELERY_DATABASE_BUSY')) {
          await this.#commitOneByOne(group)
          continue
        }
        this.#waitingSince ??= performance.now()
        this.#expire(error)
        attempt++
        await sleep(Math.min(25, 2 ** attempt) * (0.5 + Math.random() / 2))
      }
    }
    this.#waitingSince = undefined
    this.#draining = undefined
  }

  /**
   * Whether this turn of the event loop has gone on for long. Without asking, whoever fetches and settles in a loop
   * would never let it turn, because nothing here waits for anything but promises.
   */
  #turnIsLong(): boolean {
    if (this.#turnStarted !== undefined) return performance.now() - this.#turnStarted >= longestTransactionMs
    this.#turnStarted = performance.now()
    setImmediate(() => {
      this.#turnStarted = undefined
    })
    return false
  }

  /** Commits a first part of the group, as much as fits into a few milliseconds, and leaves the rest pending. */
  #commit(group: readonly Operation[]): void {
    let done = 0
    if (group.length === 0) return
    this.#transact(() => {
      done = 0
      const started = performance.now()
      do {
        const operation = group[done++] as Operation
        operation.result = operation.run()
      } while (done < group.length && (done % 8 !== 0 || performance.now() - started < longestTransactionMs))
    })
    this.#pending = this.#pending.slice(done)
    for (let index = 0; index < done; index++) resolve(group[index] as Operation)
  }

  /** One of them cannot be done, and the others must not suffer for it. */
  async #commitOneByOne(group: readonly Operation[]): Promise<void> {
    for (const operation of group) {
      for (let attempt = 0; !operation.isDone; attempt++) {
        try {
          this.#transact(() => {
            operation.result = operation.run()
          })
          resolve(operation)
        } catch (error) {
          const busy = CeleryError.is(error, 'ERR_CELERY_DATABASE_BUSY')
          if (!busy || performance.now() >= operation.deadline) reject(operation, error)
          else await sleep(Math.min(25, 2 ** attempt))
        }
      }
    }
    this.#pending = this.#pending.filter((operation) => !operation.isDone)
  }

  #transact(run: () => void): void {
    const started = performance.now()
    try {
      this.#database.transaction(() => {
        this.#hooks.begin(this.#blockedMs())
        run()
        this.#hooks.beforeCommit()
      })
    } catch (error) {
      this.#hooks.rolledBack()
      throw error
    }
    const ended = performance.now()
    this.#waitingSince = undefined
    // A slow disk, mostly, and the log being emptied: meanwhile the others could not write.
    this.#stall = ended - started >= longStallMs ? { started, ended } : undefined
  }

  /** A stall counts until the others have had as long as it took to do what they could not do meanwhile. */
  #blockedMs(): number {
    const now = performance.now()
    if (this.#waitingSince !== undefined) return now - this.#waitingSince
    if (this.#stall === undefined) return 0
    const { started, ended } = this.#stall
    return now - ended <= ended - started ? now - started : 0
  }

  #expire(error: Error): void {
    const nowMs = performance.now()
    for (const operation of this.#pending) {
      if (nowMs >= operation.deadline) reject(operation, new DatabaseBusyError(this.#database.path, { cause: error }))
    }
  }
}

/** The event loop should not wait longer than this for us. A group that takes longer is committed in parts. */
const longestTransactionMs = 8

/** Milliseconds of a transaction that count as a stall of everybody. */
const longStallMs = 100

interface Operation {
  readonly run: () => unknown
  readonly settled: Deferred<unknown>
  readonly deadline: number
  ignoreAbort: (() => void) | undefined
  isDone: boolean
  result: unknown
}

function resolve(operation: Operation): void {
  operation.isDone = true
  operation.ignoreAbort?.()
  operation.settled.resolve(operation.result)
}

function reject(operation: Operation, reason: unknown): void {
  if (operation.isDone) return
  operation.isDone = true
  operation.ignoreAbort?.()
  operation.settled.reject(reason)
}

function nextTurn(): Promise<void> {
  return new Promise((done) => setImmediate(done))
}
