import { type StoredRecord, UnreadableRecordError } from '@celery/backend'
import { type Clock, deferred, systemClock } from '@celery/promises'
import { decodeResultRecord } from '@celery/protocol'
import { ResultReaderClosedError } from './errors.ts'
import type { ResultSource } from './result-source.ts'
import { metaFromRecord, pendingMeta, type TaskMeta, withRemoteStack } from './task-meta.ts'
import { WatchBatch } from './watch-batch.ts'

/**
 * Reads the results of one application. Questions asked in the same turn of the event loop, as by `Promise.all` over
 * a thousand results, reach the store as one.
 */
export class ResultReader implements AsyncDisposable {
  readonly source: ResultSource
  readonly clock: Clock
  readonly #closing = new AbortController()
  readonly #batches = new Set<Promise<void>>()
  #nextRead: PendingRead | undefined
  #nextWatch: PendingWatch | undefined

  constructor(source: ResultSource) {
    this.source = source
    this.clock = source.clock ?? systemClock
  }

  /** Aborts when the reader closes, with the error for those who still wait. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** What is known of each task now, in the order of the ids. */
  async read(taskIds: readonly string[]): Promise<readonly TaskMeta[]> {
    this.closing.throwIfAborted()
    this.#nextRead ??= this.#newRead()
    for (const id of taskIds) this.#nextRead.ids.add(id)
    const records = await this.#nextRead.records
    // Decoded here and not for the whole batch, so that a record that cannot be read fails only those who asked for it.
    const metas = await Promise.all(taskIds.map(async (id) => this.#metaOf(id, records.get(id))))
    return this.source.showsRemoteTracebacks?.() === true ? metas.map(withRemoteStack) : metas
  }

  /** Calls `onChange` when one of the tasks may have changed. Nothing that happens after `opened` is missed. */
  watch(taskIds: readonly string[], onChange: () => void): ResultWatch {
    this.#nextWatch ??= this.#newWatch()
    const { batch, opened } = this.#nextWatch
    return { opened, leave: batch.join(taskIds, onChange) }
  }

  /** Removes what is stored of the tasks. */
  async forget(taskIds: readonly string[]): Promise<void> {
    const backend = await this.source.backend()
    await backend.forget(taskIds)
  }

  /** Ends all waiting with {@link ResultReaderClosedError}, and resolves when the store has ended its watches. It leaves the store open. */
  async close(): Promise<void> {
    this.#closing.abort(new ResultReaderClosedError())
    while (this.#batches.size > 0) await Promise.all(this.#batches)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #newRead(): PendingRead {
    const ids = new Set<string>()
    const records = Promise.resolve().then(async () => {
      this.#nextRead = undefined
      const backend = await this.source.backend()
      return backend.fetch([...ids])
    })
    return { ids, records }
  }

  #metaOf(taskId: string, stored: StoredRecord | undefined): TaskMeta | Promise<TaskMeta> {
    if (stored === undefined) return pendingMeta(taskId)
    if (stored.state === undefined) throw new UnreadableRecordError(taskId)
    const { errors } = this.source
    const record = this.source.decodeRecord?.(stored.record) ?? decodeResultRecord(stored.record)
    if (record instanceof Promise) return record.then((read) => metaFromRecord(taskId, read, errors))
    return metaFromRecord(taskId, record, errors)
  }

  #newWatch(): PendingWatch {
    const ended = deferred()
    this.#batches.add(ended.promise)
    const batch = new WatchBatch((error) => {
      this.#batches.delete(ended.promise)
      ended.resolve()
      if (error !== undefined) this.#report(error)
    })
    const opened = Promise.resolve().then(() => {
      this.#nextWatch = undefined
      return batch.open(() => this.source.backend())
    })
    // A member that has left meanwhile does not listen any more; the others hear of a failure from `opened` itself.
    opened.catch(() => undefined)
    return { batch, opened }
  }

  #report(error: unknown): void {
    if (this.source.onError !== undefined) this.source.onError(error)
    else process.emitWarning(error instanceof Error ? error : String(error))
  }
}

/** A place in a watch of the store. */
export interface ResultWatch {
  /** Resolves when the store watches. */
  readonly opened: Promise<void>
  /** Ends the watch for this caller, at once; may be called again. */
  leave(): void
}

interface PendingRead {
  readonly ids: Set<string>
  readonly records: Promise<ReadonlyMap<string, StoredRecord>>
}

interface PendingWatch {
  readonly batch: WatchBatch
  readonly opened: Promise<void>
}
