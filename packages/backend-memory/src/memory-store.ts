import type {
  AtomicWrite,
  ChordCounter,
  KeyValueEntry,
  KeyValueStore,
  KeyValueWrite,
  StateWrite,
} from '@celery/backend'
import type { AbortableOptions } from '@celery/promises'
import { expiry } from './expiry.ts'
import { countChords } from './memory-chords.ts'
import { MemoryTable } from './memory-table.ts'

/**
 * The statement of an `AtomicWrite` with a `memory:` domain: the broker calls `apply()`, which neither waits nor
 * throws, among the synchronous steps of its own transaction.
 */
export interface MemoryWrite {
  apply(): void
}

export interface MemoryStoreOptions {
  /** Reads the time; for tests. @defaultValue `Date.now` */
  readonly now?: (() => number) | undefined
  /** Stores by name, among which it finds its own. @defaultValue those of the process */
  readonly tables?: Map<string, MemoryTable> | undefined
}

/** One connection to a store in this process's memory. Stores with the same name among the same tables share their records. */
export class MemoryStore implements KeyValueStore {
  readonly domain: string
  readonly #table: MemoryTable
  readonly #now: () => number

  constructor(name: string, options: MemoryStoreOptions = {}) {
    this.domain = `memory:${name}`
    this.#table = tableNamed(name, options.tables ?? tablesOfProcess)
    this.#now = options.now ?? Date.now
  }

  async getMany(keys: readonly string[], options?: AbortableOptions): Promise<ReadonlyMap<string, KeyValueEntry>> {
    options?.signal?.throwIfAborted()
    const now = this.#now()
    const entries = new Map<string, KeyValueEntry>()
    for (const key of keys) {
      const row = this.#table.get(key, now)
      if (row !== undefined) entries.set(key, { value: row.value, state: row.state })
    }
    return entries
  }

  async set(entries: readonly KeyValueWrite[], options?: AbortableOptions): Promise<void> {
    options?.signal?.throwIfAborted()
    const now = this.#now()
    for (const { key, value, ttlMs } of entries) {
      this.#table.set(key, { value, state: undefined, expiresAt: expiry(ttlMs, now) }, now)
    }
  }

  async putUnlessTerminal(entries: readonly StateWrite[], options?: AbortableOptions): Promise<void> {
    options?.signal?.throwIfAborted()
    const now = this.#now()
    for (const entry of entries) this.#table.putUnlessTerminal(entry, now)
  }

  preparePutUnlessTerminal(entries: readonly StateWrite[]): readonly AtomicWrite[] {
    return entries.map((entry) => {
      const statement: MemoryWrite = { apply: () => this.#table.putUnlessTerminal(entry, this.#now()) }
      return { domain: this.domain, statement }
    })
  }

  async delete(keys: readonly string[], options?: AbortableOptions): Promise<void> {
    options?.signal?.throwIfAborted()
    for (const key of keys) this.#table.delete(key)
  }

  async subscribe(
    keys: readonly string[],
    onChange: (key: string) => void,
    options?: AbortableOptions,
  ): Promise<AsyncDisposable> {
    options?.signal?.throwIfAborted()
    const unsubscribe = this.#table.subscribe(keys, onChange)
    return { [Symbol.asyncDispose]: async () => unsubscribe() }
  }

  countChords(groupKeyPrefix: string): ChordCounter {
    return countChords(this.#table.chords, groupKeyPrefix, this.#now)
  }

  async cleanup(options?: AbortableOptions): Promise<number> {
    options?.signal?.throwIfAborted()
    return this.#table.cleanup(this.#now())
  }

  /** Leaves the records: they live as long as the process, as with Celery's `cache+memory://`. */
  async close(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const tablesOfProcess = new Map<string, MemoryTable>()

function tableNamed(name: string, tables: Map<string, MemoryTable>): MemoryTable {
  let table = tables.get(name)
  if (table === undefined) {
    table = new MemoryTable()
    tables.set(name, table)
  }
  return table
}
