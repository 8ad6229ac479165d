import { setImmediate } from 'node:timers/promises'
import {
  type AtomicWrite,
  BackendUnavailableError,
  type KeyValueEntry,
  type KeyValueStore,
  type KeyValueWrite,
  type StateWrite,
} from '@celery/backend'
import { type AbortableOptions, CeleryError } from '@celery/promises'
import {
  type Database,
  openDatabase,
  SqliteWrite,
  type SqlParameter,
  type Statement,
  storedText,
  withBusyRetry,
} from '@celery/sqlite'
import { ExpirySweeper } from './expiry-sweeper.ts'
import { KeyWatcher } from './key-watcher.ts'
import { DELETE, DELETE_EXPIRED, ensureSchema, GET, GET_MANY, PUT_UNLESS_TERMINAL, SET } from './schema.ts'

/** Rows touched in one go: other processes get the file, and this one its event loop, after some milliseconds. */
const ROWS_PER_TRANSACTION = 1_000

export interface SqliteStoreOptions {
  /** Milliseconds to wait while another process has the file locked. @defaultValue `5_000` */
  readonly lockTimeoutMs?: number | undefined
  /** Milliseconds between two removals of expired records by a process that writes. @defaultValue `60_000` */
  readonly cleanupIntervalMs?: number | undefined
  /** Reads the time; for tests. @defaultValue `Date.now` */
  readonly now?: (() => number) | undefined
}

/** One connection to the records in one SQLite file. */
export class SqliteStore implements KeyValueStore {
  readonly domain: string
  readonly #database: Database
  readonly #set: Statement
  readonly #put: Statement
  readonly #get: Statement
  readonly #getMany: Statement
  readonly #delete: Statement
  readonly #deleteExpired: Statement
  readonly #watcher: KeyWatcher
  readonly #sweeper: ExpirySweeper
  readonly #lockTimeoutMs: number
  readonly #now: () => number
  readonly #running = new Set<Promise<unknown>>()

  /** @throws BackendUnavailableError */
  static async open(path: string, options: SqliteStoreOptions & AbortableOptions = {}): Promise<SqliteStore> {
    const deadlineMs = options.lockTimeoutMs ?? 5_000
    let database: Database | undefined
    try {
      const opened = await openDatabase(path, { deadlineMs, signal: options.signal })
      database = opened
      await withBusyRetry(() => ensureSchema(opened), { deadlineMs, signal: options.signal })
      return new SqliteStore(opened, deadlineMs, options)
    } catch (error) {
      database?.close()
      throw asBackendError(path, error)
    }
  }

  private constructor(database: Database, lockTimeoutMs: number, options: SqliteStoreOptions) {
    this.domain = database.domain
    this.#database = database
    this.#set = database.prepare(SET)
    this.#put = database.prepare(PUT_UNLESS_TERMINAL)
    this.#get = database.prepare(GET)
    this.#getMany = database.prepare(GET_MANY)
    this.#delete = database.prepare(DELETE)
    this.#deleteExpired = database.prepare(DELETE_EXPIRED)
    this.#watcher = new KeyWatcher(database)
    this.#lockTimeoutMs = lockTimeoutMs
    this.#now = options.now ?? Date.now
    this.#sweeper = new ExpirySweeper((max) => this.#removeExpired(max), options.cleanupIntervalMs ?? 60_000)
  }

  async getMany(keys: readonly string[], options?: AbortableOptions): Promise<ReadonlyMap<string, KeyValueEntry>> {
    const entries = new Map<string, KeyValueEntry>()
    await this.#inBatches(keys, options, (batch) => {
      const rows =
        batch.length === 1
          ? this.#get.values([batch[0] as string, this.#now()])
          : this.#getMany.values([JSON.stringify(batch), this.#now()])
      for (const [key, state, value, type] of rows) {
        entries.set(key as string, {
          value: type === 'blob' ? (value as Uint8Array) : storedText(value),
          state: (state as string | null) ?? undefined,
        })
      }
    })
    return entries
  }

  async set(entries: readonly KeyValueWrite[], options?: AbortableOptions): Promise<void> {
    this.#sweeper.start()
    await this.#inTransactions(entries, options, (batch) => {
      for (const entry of batch) this.#set.run(this.#parameters(entry, null))
    })
  }

  async putUnlessTerminal(entries: readonly StateWrite[], options?: AbortableOptions): Promise<void> {
    this.#sweeper.start()
    await this.#inTransactions(entries, options, (batch) => {
      for (const entry of batch) this.#put.run(this.#putParameters(entry))
    })
  }

  preparePutUnlessTerminal(entries: readonly StateWrite[]): readonly AtomicWrite[] {
    this.#sweeper.start()
    return entries.map((entry) => ({
      domain: this.domain,
      statement: new SqliteWrite(PUT_UNLESS_TERMINAL, this.#putParameters(entry)),
    }))
  }

  async delete(keys: readonly string[], options?: AbortableOptions): Promise<void> {
    await this.#inTransactions(keys, options, (batch) => {
      this.#delete.run([JSON.stringify(batch)])
    })
  }

  async subscribe(
    keys: readonly string[],
    onChange: (key: string) => void,
    options?: AbortableOptions,
  ): Promise<AsyncDisposable> {
    const unwatch = await this.#run(() => this.#watcher.watch(keys, onChange), options)
    return { [Symbol.asyncDispose]: async () => unwatch() }
  }

  async cleanup(options?: AbortableOptions): Promise<number> {
    return this.#removeExpired(Number.POSITIVE_INFINITY, options)
  }

  /** Waits for calls under way, which end within the lock deadline. */
  async close(): Promise<void> {
    this.#sweeper.stop()
    this.#watcher.close()
    await Promise.allSettled(this.#running)
    this.#database.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #removeExpired(max: number, options?: AbortableOptions): Promise<number> {
    let removed = 0
    while (removed < max) {
      const limit = Math.min(ROWS_PER_TRANSACTION, max - removed)
      const changes = await this.#run(
        () => this.#database.transaction(() => this.#deleteExpired.run([this.#now(), limit]).changes),
        options,
      )
      removed += changes
      if (changes < limit) break
      await setImmediate()
    }
    if (removed > 0) this.#watcher.lookSoon()
    return removed
  }

  async #inTransactions<T>(
    items: readonly T[],
    options: AbortableOptions | undefined,
    work: (batch: readonly T[]) => void,
  ): Promise<void> {
    await this.#inBatches(items, options, (batch) => this.#database.transaction(() => work(batch)))
    // A connection is not told of its own commits.
    this.#watcher.lookSoon()
  }

  async #inBatches<T>(
    items: readonly T[],
    options: AbortableOptions | undefined,
    work: (batch: readonly T[]) => void,
  ): Promise<void> {
    if (items.length <= ROWS_PER_TRANSACTION) return this.#run(() => work(items), options)
    for (let i = 0; i < items.length; i += ROWS_PER_TRANSACTION) {
      if (i > 0) await setImmediate()
      const batch = items.slice(i, i + ROWS_PER_TRANSACTION)
      await this.#run(() => work(batch), options)
    }
  }

  async #run<T>(work: () => T, options: AbortableOptions | undefined): Promise<T> {
    const running = withBusyRetry(work, { deadlineMs: this.#lockTimeoutMs, signal: options?.signal })
    this.#running.add(running)
    try {
      return await running
    } catch (error) {
      throw asBackendError(this.#database.path, error)
    } finally {
      this.#running.delete(running)
    }
  }

  #putParameters(entry: StateWrite): SqlParameter[] {
    const parameters = this.#parameters(entry, entry.state)
    parameters.push(this.#now())
    return parameters
  }

  #parameters({ key, value, ttlMs }: KeyValueWrite, state: string | null): SqlParameter[] {
    return [key, state, ttlMs === undefined ? null : this.#now() + ttlMs, toColumn(value)]
  }
}

/** SQLite libraries end text at the first NUL, so such text is kept, and comes back, as bytes. */
function toColumn(value: string | Uint8Array): string | Uint8Array {
  return typeof value === 'string' && value.includes('\u0000') ? Buffer.from(value) : value
}

/** What the layers above know of a store that cannot be used for now. Anything else is passed on as it is. */
function asBackendError(path: string, error: unknown): unknown {
  const unavailable =
    CeleryError.is(error, 'ERR_CELERY_DATABASE_BUSY') || CeleryError.is(error, 'ERR_CELERY_DATABASE_UNAVAILABLE')
  return unavailable ? new BackendUnavailableError(path, error.message, { cause: error }) : error
}
