import { type AbortableOptions, abortable, type Clock, systemClock } from '@celery/promises'
import type { AtomicWrite } from '@celery/protocol'
import { ChangePoller } from './change-poller.ts'
import { BackendClosedError } from './errors.ts'
import type { KeyValueStore, StateWrite } from './key-value-store.ts'
import { assertRecordSize, DEFAULT_MAX_RECORD_BYTES } from './record-size.ts'
import type { ChordCounter, ResultBackend, ResultWrite, StoredRecord } from './result-backend.ts'
import { assertTaskId, groupKeyPrefix, taskKeyPrefix } from './task-key.ts'

export interface KeyValueBackendOptions {
  /**
   * Put before every key, to keep applications apart in one store (`global_keyprefix`; see `globalKeyPrefix()`).
   * @defaultValue none
   */
  readonly keyPrefix?: string | undefined
  /** Largest record in bytes of UTF-8. @defaultValue `67_108_864` (64 MiB) */
  readonly maxRecordBytes?: number | undefined
  /** Milliseconds between two looks at the watched records, where the store has no `subscribe`. @defaultValue `500` */
  readonly pollIntervalMs?: number | undefined
  /** Times the looks; for tests. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

/** Makes a `ResultBackend` of a key-value store, with Celery's key names. Closing it closes the store. */
export function keyValueBackend(store: KeyValueStore, options: KeyValueBackendOptions = {}): ResultBackend {
  return new KeyValueBackend(store, options)
}

class KeyValueBackend implements ResultBackend {
  readonly domain: string | undefined
  readonly prepare?: (writes: readonly ResultWrite[]) => readonly AtomicWrite[]
  readonly chords?: ChordCounter
  readonly #store: KeyValueStore
  readonly #prefix: string
  readonly #maxRecordBytes: number
  readonly #poller: ChangePoller
  readonly #watches = new Set<AsyncDisposable>()
  #closing: Promise<void> | undefined

  constructor(store: KeyValueStore, options: KeyValueBackendOptions) {
    this.domain = store.domain
    this.#store = store
    this.#prefix = taskKeyPrefix(options.keyPrefix)
    this.#maxRecordBytes = options.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES
    this.#poller = new ChangePoller((keys) => store.getMany(keys), {
      intervalMs: options.pollIntervalMs ?? 500,
      clock: options.clock ?? systemClock,
    })
    const prepare = store.preparePutUnlessTerminal?.bind(store)
    if (prepare !== undefined) {
      this.prepare = (writes) => {
        this.#assertUsable(undefined)
        return prepare(this.#entries(writes))
      }
    }
    const chords = store.countChords?.(groupKeyPrefix(options.keyPrefix))
    if (chords !== undefined) this.chords = this.#checked(chords)
  }

  async store(writes: readonly ResultWrite[], options?: AbortableOptions): Promise<void> {
    this.#assertUsable(options)
    const entries = this.#entries(writes)
    if (entries.length > 0) await this.#store.putUnlessTerminal(entries, options)
  }

  async fetch(taskIds: readonly string[], options?: AbortableOptions): Promise<ReadonlyMap<string, StoredRecord>> {
    this.#assertUsable(options)
    const records = new Map<string, StoredRecord>()
    if (taskIds.length === 0) return records
    const entries = await this.#store.getMany(this.#keys(taskIds), options)
    for (const [key, entry] of entries) {
      const taskId = key.slice(this.#prefix.length)
      records.set(taskId, { taskId, state: entry.state, record: entry.value })
    }
    return records
  }

  async forget(taskIds: readonly string[], options?: AbortableOptions): Promise<void> {
    this.#assertUsable(options)
    if (taskIds.length > 0) await this.#store.delete(this.#keys(taskIds), options)
  }

  async watch(
    taskIds: readonly string[],
    onChange: (taskId: string) => void,
    options?: AbortableOptions,
  ): Promise<AsyncDisposable> {
    this.#assertUsable(options)
    const keys = this.#keys(taskIds)
    let stopped = false
    const report = (key: string): void => {
      if (!stopped) onChange(key.slice(this.#prefix.length))
    }
    const stop = await this.#subscribe(keys, report, options)
    const watch: AsyncDisposable = {
      [Symbol.asyncDispose]: async () => {
        if (stopped) return
        stopped = true
        this.#watches.delete(watch)
        await stop()
      },
    }
    this.#watches.add(watch)
    if (this.#closing !== undefined) {
      await watch[Symbol.asyncDispose]()
      throw new BackendClosedError()
    }
    return watch
  }

  async cleanup(options?: AbortableOptions): Promise<number> {
    this.#assertUsable(options)
    return (await this.#store.cleanup?.(options)) ?? 0
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#poller.stop()
    try {
      await Promise.all([...this.#watches].map((watch) => watch[Symbol.asyncDispose]()))
    } finally {
      await this.#store.close()
    }
  }

  async #subscribe(
    keys: readonly string[],
    onChange: (key: string) => void,
    options: AbortableOptions | undefined,
  ): Promise<() => PromiseLike<void> | void> {
    if (this.#store.subscribe !== undefined) {
      const subscription = await this.#store.subscribe(keys, onChange, options)
      return () => subscription[Symbol.asyncDispose]()
    }
    const watching = this.#poller.watch(keys, onChange)
    try {
      return await abortable(watching, options?.signal)
    } catch (error) {
      // Aborted, or the store failed. In the first case the watch still begins, and nobody is left to stop it.
      watching.then((stop) => stop()).catch(() => undefined)
      throw error
    }
  }

  /** The counter of the store, for ids that can be kept apart and parts that are not too large. */
  #checked(chords: ChordCounter): ChordCounter {
    const check = (ids: readonly string[], options: AbortableOptions | undefined): void => {
      this.#assertUsable(options)
      for (const id of ids) assertTaskId(id)
    }
    return {
      begin: async (groupId, size, options) => {
        check([groupId], options)
        if (!Number.isSafeInteger(size) || size < 1) throw new RangeError(`a chord of ${size} parts cannot be counted`)
        await chords.begin(groupId, size, options)
      },
      extend: async (groupId, taskIds, options) => {
        check([groupId, ...taskIds], options)
        if (taskIds.length > 0) await chords.extend(groupId, taskIds, options)
      },
      recordPart: async (part, options) => {
        check([part.groupId, part.taskId], options)
        assertRecordSize(part.taskId, part.member, this.#maxRecordBytes)
        return await chords.recordPart(part, options)
      },
    }
  }

  #assertUsable(options: AbortableOptions | undefined): void {
    if (this.#closing !== undefined) throw new BackendClosedError()
    options?.signal?.throwIfAborted()
  }

  #keys(taskIds: readonly string[]): string[] {
    return taskIds.map((taskId) => {
      assertTaskId(taskId)
      return this.#prefix + taskId
    })
  }

  #entries(writes: readonly ResultWrite[]): StateWrite[] {
    return writes.map(({ taskId, state, record, ttlMs }) => {
      assertTaskId(taskId)
      assertRecordSize(taskId, record, this.#maxRecordBytes)
      const key = this.#prefix + taskId
      return ttlMs === undefined ? { key, state, value: record } : { key, state, value: record, ttlMs }
    })
  }
}
