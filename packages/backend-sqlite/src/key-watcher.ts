import { setImmediate } from 'node:timers/promises'
import { type Database, type DatabaseWatch, type Statement, watchDatabase } from '@celery/sqlite'
import { STAMPS } from './schema.ts'

/** Keys looked up in one go, so that a look at very many does not hold the event loop. */
const KEYS_PER_BATCH = 1_000

/**
 * Tells which of the watched keys have changed in the file, whoever changed them.
 *
 * Every commit to the file, most of them by the broker and about other things, may be a change of a watched key. What
 * that costs is bounded twice: one look answers for all commits since the last, and reads stamps by key and no value;
 * and after a look the watcher rests four times as long as it took, at least a millisecond.
 */
export class KeyWatcher {
  readonly #database: Database
  readonly #stamps: Statement
  readonly #watched = new Map<string, WatchedKey>()
  /** What to look up for all watched keys; `undefined` after they changed. */
  #batches: readonly KeyBatch[] | undefined
  #fileWatch: DatabaseWatch | undefined
  #keepAlive: NodeJS.Timeout | undefined
  #timer: NodeJS.Timeout | undefined
  #looking = false
  #lookAgain = false
  #notBefore = 0

  constructor(database: Database) {
    this.#database = database
    this.#stamps = database.prepare(STAMPS)
  }

  /** Every change after this call is reported. The returned function stops it. */
  watch(keys: readonly string[], onChange: (key: string) => void): () => void {
    // The file first, and then what is in it: a commit between the two is seen by the next look.
    this.#start()
    const fresh = keys.filter((key) => !this.#watched.has(key))
    const stamps = new Map(inBatches(fresh).flatMap((batch) => this.#readStamps(batch)))
    const listener: Listener = { onChange }
    for (const key of keys) {
      const watched = this.#watched.get(key)
      if (watched === undefined) this.#watched.set(key, { stamp: stamps.get(key), listeners: new Set([listener]) })
      else watched.listeners.add(listener)
    }
    this.#batches = undefined
    return () => this.#unwatch(keys, listener)
  }

  /** Looks at the watched keys as soon as the last look has been rested from. */
  lookSoon(): void {
    if (this.#watched.size === 0 || this.#timer !== undefined) return
    if (this.#looking) {
      this.#lookAgain = true
      return
    }
    const wait = this.#notBefore - performance.now()
    if (wait <= 0) {
      void this.#look()
      return
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#look()
    }, wait)
  }

  /** Ends every watch. */
  close(): void {
    this.#watched.clear()
    this.#batches = undefined
    this.#fileWatch?.close()
    this.#fileWatch = undefined
    clearInterval(this.#keepAlive)
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #start(): void {
    if (this.#fileWatch !== undefined) return
    const look = (): void => this.lookSoon()
    this.#fileWatch = watchDatabase(this.#database, look, { onError: look })
    // Somebody waits for another process, and the watch of the file alone would let this one end.
    this.#keepAlive = setInterval(look, 10_000)
  }

  #unwatch(keys: readonly string[], listener: Listener): void {
    for (const key of keys) {
      const watched = this.#watched.get(key)
      if (watched?.listeners.delete(listener) && watched.listeners.size === 0) this.#watched.delete(key)
    }
    this.#batches = undefined
    if (this.#watched.size === 0) this.close()
  }

  async #look(): Promise<void> {
    this.#looking = true
    this.#lookAgain = false
    let busyMs = 0
    this.#batches ??= inBatches([...this.#watched.keys()])
    for (const [i, batch] of this.#batches.entries()) {
      if (i > 0) await setImmediate()
      const started = performance.now()
      this.#lookAt(batch)
      busyMs += performance.now() - started
    }
    this.#looking = false
    this.#notBefore = performance.now() + Math.max(1, 4 * busyMs)
    if (this.#lookAgain) this.lookSoon()
  }

  #lookAt(batch: KeyBatch): void {
    let stamps: ReadonlyMap<string, number> | undefined
    try {
      stamps = new Map(this.#readStamps(batch))
    } catch {
      // There is no one here to tell. Every watcher is called, reads its key, and meets the error of the file there.
    }
    for (const key of batch.keys) {
      const watched = this.#watched.get(key)
      if (watched === undefined) continue
      const stamp = stamps?.get(key)
      if (stamps !== undefined && stamp === watched.stamp) continue
      watched.stamp = stamp
      notify(key, watched.listeners)
    }
  }

  #readStamps(batch: KeyBatch): [key: string, stamp: number][] {
    return this.#stamps.values([batch.json]) as [string, number][]
  }
}

interface Listener {
  readonly onChange: (key: string) => void
}

interface WatchedKey {
  /** Of the row when it was last looked at; `undefined` where there was none. */
  stamp: number | undefined
  readonly listeners: Set<Listener>
}

interface KeyBatch {
  readonly keys: readonly string[]
  readonly json: string
}

function inBatches(keys: readonly string[]): KeyBatch[] {
  const batches: KeyBatch[] = []
  for (let i = 0; i < keys.length; i += KEYS_PER_BATCH) {
    const some = keys.slice(i, i + KEYS_PER_BATCH)
    batches.push({ keys: some, json: JSON.stringify(some) })
  }
  return batches
}

/** Each in a microtask of its own, so that one that throws keeps no other from its call. */
function notify(key: string, listeners: ReadonlySet<Listener>): void {
  for (const listener of listeners) {
    queueMicrotask(() => {
      if (listeners.has(listener)) listener.onChange(key)
    })
  }
}
