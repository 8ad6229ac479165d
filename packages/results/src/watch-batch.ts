import type { ResultBackend } from '@celery/backend'

/**
 * One watch of the store for everybody who began to wait in the same turn of the event loop. It ends when the last of
 * them has left.
 */
export class WatchBatch {
  readonly #listeners = new Map<string, Set<() => void>>()
  readonly #onEnded: (error?: unknown) => void
  #opened: Promise<AsyncDisposable> | undefined
  #members = 0

  /** @param onEnded called once, when the store has ended the watch, with the error if it could not */
  constructor(onEnded: (error?: unknown) => void) {
    this.#onEnded = onEnded
  }

  /** Only before `open()`. The returned function leaves; calling it again does nothing. */
  join(taskIds: readonly string[], onChange: () => void): () => void {
    this.#members += 1
    for (const id of taskIds) {
      const listeners = this.#listeners.get(id)
      if (listeners === undefined) this.#listeners.set(id, new Set([onChange]))
      else listeners.add(onChange)
    }
    let here = true
    return () => {
      if (!here) return
      here = false
      for (const id of taskIds) this.#listeners.get(id)?.delete(onChange)
      this.#members -= 1
      if (this.#members === 0 && this.#opened !== undefined) void this.#end(this.#opened)
    }
  }

  /** Begins to watch what the members asked for, if there are any left. */
  async open(openBackend: () => Promise<ResultBackend>): Promise<void> {
    if (this.#members === 0) return this.#onEnded()
    this.#opened = openBackend().then((store) =>
      store.watch([...this.#listeners.keys()], (id) => {
        for (const onChange of this.#listeners.get(id) ?? []) onChange()
      }),
    )
    await this.#opened
  }

  async #end(opened: Promise<AsyncDisposable>): Promise<void> {
    let watch: AsyncDisposable
    try {
      watch = await opened
    } catch {
      // Its members heard of it from open(), and there is nothing to end.
      return this.#onEnded()
    }
    try {
      await watch[Symbol.asyncDispose]()
      this.#onEnded()
    } catch (error) {
      this.#onEnded(error)
    }
  }
}
