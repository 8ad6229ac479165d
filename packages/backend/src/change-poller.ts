import type { Clock } from '@celery/promises'
import type { KeyValueEntry } from './key-value-store.ts'

/**
 * Watches keys of a store that cannot tell of changes, by reading all watched keys again and again: one read at a time,
 * whatever the number of watchers.
 */
export class ChangePoller {
  readonly #read: ReadKeys
  readonly #intervalMs: number
  readonly #clock: Clock
  readonly #watched = new Map<string, WatchedKey>()
  #cancelTimer: (() => void) | undefined
  #reading = false

  constructor(read: ReadKeys, options: { readonly intervalMs: number; readonly clock: Clock }) {
    this.#read = read
    this.#intervalMs = options.intervalMs
    this.#clock = options.clock
  }

  /** Resolves when what is stored now is known, so that every later change is noticed. The returned function stops it. */
  async watch(keys: readonly string[], onChange: (key: string) => void): Promise<() => void> {
    const seen = await this.#read(keys)
    const listener = { notify: onChange }
    for (const key of keys) {
      const watched = this.#watched.get(key)
      // An older view of another watcher stays: at worst it makes one call that was not needed.
      if (watched === undefined) this.#watched.set(key, { listeners: new Set([listener]), seen: seen.get(key)?.value })
      else watched.listeners.add(listener)
    }
    this.#schedule()
    return () => this.#unwatch(keys, listener)
  }

  /** Stops every watch. */
  stop(): void {
    this.#watched.clear()
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #unwatch(keys: readonly string[], listener: Listener): void {
    for (const key of keys) {
      const watched = this.#watched.get(key)
      if (watched?.listeners.delete(listener) && watched.listeners.size === 0) this.#watched.delete(key)
    }
    if (this.#watched.size === 0) this.stop()
  }

  #schedule(): void {
    if (this.#watched.size === 0 || this.#cancelTimer !== undefined || this.#reading) return
    // Somebody waits for these keys, so the timer keeps the process alive.
    this.#cancelTimer = this.#clock.schedule(this.#intervalMs, () => {
      this.#cancelTimer = undefined
      void this.#poll()
    })
  }

  async #poll(): Promise<void> {
    const watched = [...this.#watched]
    this.#reading = true
    try {
      const found = await this.#read(watched.map(([key]) => key))
      for (const [key, entry] of watched) {
        const value = found.get(key)?.value
        if (isSame(value, entry.seen)) continue
        entry.seen = value
        notify(key, entry)
      }
    } catch {
      // There is no one here to tell. The watcher reads the key after every call, and meets the store's error there.
      for (const [key, entry] of watched) notify(key, entry)
    } finally {
      this.#reading = false
      this.#schedule()
    }
  }
}

type ReadKeys = (keys: readonly string[]) => Promise<ReadonlyMap<string, KeyValueEntry>>

interface Listener {
  readonly notify: (key: string) => void
}

interface WatchedKey {
  readonly listeners: Set<Listener>
  seen: KeyValueEntry['value'] | undefined
}

function isSame(a: WatchedKey['seen'], b: WatchedKey['seen']): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : a === b
}

/** Each in a microtask of its own, so that one that throws keeps no other from its call. */
function notify(key: string, entry: WatchedKey): void {
  for (const listener of entry.listeners) {
    queueMicrotask(() => {
      if (entry.listeners.has(listener)) listener.notify(key)
    })
  }
}
