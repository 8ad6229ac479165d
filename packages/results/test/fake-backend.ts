import type { ResultBackend, ResultWrite, StoredRecord } from '@celery/backend'
import { deferred } from '@celery/promises'
import { encodeResultRecord, type ResultRecord } from '@celery/protocol'

/** A store in a Map that tells what it was asked, and can be made to fail or to hang. */
export class FakeBackend implements ResultBackend {
  readonly domain = undefined
  readonly #records = new Map<string, StoredRecord>()
  readonly watches = new Set<FakeWatch>()
  readonly fetches: (readonly string[])[] = []
  watchesOpened = 0
  /** Runs when a fetch has read, before it answers. */
  afterFetch: () => void = () => undefined
  /** Awaited by every call of `fetch` and `watch`. */
  gate: Promise<void> = Promise.resolve()
  fetchError: Error | undefined
  releaseError: Error | undefined

  /** Stores a record as a worker does, and tells those who watch. */
  put(taskId: string, status: string, result: unknown, more: Partial<ResultRecord> = {}): void {
    const traceback = null
    const record = { task_id: taskId, status, result, traceback, children: null, date_done: null, ...more }
    this.putText(taskId, status, encodeResultRecord(record))
  }

  putText(taskId: string, state: string | undefined, record: string): void {
    this.#records.set(taskId, { taskId, state, record })
    for (const watch of this.watches) {
      if (watch.ids.includes(taskId)) watch.onChange(taskId)
    }
  }

  async store(writes: readonly ResultWrite[]): Promise<void> {
    for (const { taskId, state, record } of writes) this.putText(taskId, state, String(record))
  }

  async fetch(taskIds: readonly string[]): Promise<ReadonlyMap<string, StoredRecord>> {
    this.fetches.push(taskIds)
    await this.gate
    if (this.fetchError !== undefined) throw this.fetchError
    const found = new Map<string, StoredRecord>()
    for (const id of taskIds) {
      const record = this.#records.get(id)
      if (record !== undefined) found.set(id, record)
    }
    this.afterFetch()
    return found
  }

  async forget(taskIds: readonly string[]): Promise<void> {
    for (const id of taskIds) this.#records.delete(id)
  }

  async watch(ids: readonly string[], onChange: (taskId: string) => void): Promise<AsyncDisposable> {
    await this.gate
    const watch = { ids, onChange }
    this.watches.add(watch)
    this.watchesOpened += 1
    this.#watching.resolve()
    return {
      [Symbol.asyncDispose]: async () => {
        this.watches.delete(watch)
        if (this.releaseError !== undefined) throw this.releaseError
      },
    }
  }

  /** Resolves when somebody has begun to watch. */
  get watched(): Promise<void> {
    return this.#watching.promise
  }

  async cleanup(): Promise<number> {
    return 0
  }

  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}

  readonly #watching = deferred()
}

interface FakeWatch {
  readonly ids: readonly string[]
  readonly onChange: (taskId: string) => void
}

/** A clock that stands still until told. */
export class FakeClock {
  #now = 0
  readonly #timers = new Set<{ readonly at: number; readonly run: () => void }>()

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  schedule(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#now + delayMs, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  get pending(): number {
    return this.#timers.size
  }

  advance(ms: number): void {
    this.#now += ms
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now) continue
      this.#timers.delete(timer)
      timer.run()
    }
  }
}
