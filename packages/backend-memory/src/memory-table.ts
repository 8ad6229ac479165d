import { mayReplace, type StateWrite } from '@celery/backend'
import { expiry } from './expiry.ts'
import type { MemoryChords } from './memory-chords.ts'

/** What all connections to one named store share. Synchronous, so every operation is atomic. */
export class MemoryTable {
  readonly chords: MemoryChords = new Map()
  readonly #rows = new Map<string, Row>()
  readonly #listeners = new Map<string, Set<Listener>>()
  #sweep: Iterator<[string, Row]> = this.#rows.entries()

  get(key: string, now: number): Row | undefined {
    const row = this.#rows.get(key)
    if (row === undefined || row.expiresAt > now) return row
    this.#rows.delete(key)
    return undefined
  }

  set(key: string, row: Row, now: number): void {
    // Its owner may use the bytes again, and a small record must not keep a large buffer that it is a part of.
    this.#rows.set(key, typeof row.value === 'string' ? row : { ...row, value: Uint8Array.from(row.value) })
    this.#sweepSome(now)
    this.#notify(key)
  }

  putUnlessTerminal(write: StateWrite, now: number): void {
    if (!mayReplace(this.get(write.key, now)?.state, write.state)) return
    this.set(write.key, { value: write.value, state: write.state, expiresAt: expiry(write.ttlMs, now) }, now)
  }

  delete(key: string): void {
    if (this.#rows.delete(key)) this.#notify(key)
  }

  /** Removes every expired row and says how many there were. */
  cleanup(now: number): number {
    const before = this.#rows.size
    for (const [key, row] of this.#rows) {
      if (row.expiresAt <= now) this.#rows.delete(key)
    }
    for (const [key, chord] of this.chords) {
      if (chord.expiresAt <= now) this.chords.delete(key)
    }
    return before - this.#rows.size
  }

  /** Calls `onChange`, never before the current code has run to its end, after each change of one of the keys. */
  subscribe(keys: readonly string[], onChange: (key: string) => void): () => void {
    const listener: Listener = { onChange }
    for (const key of keys) {
      const listeners = this.#listeners.get(key)
      if (listeners === undefined) this.#listeners.set(key, new Set([listener]))
      else listeners.add(listener)
    }
    return () => {
      for (const key of keys) {
        const listeners = this.#listeners.get(key)
        if (listeners?.delete(listener) && listeners.size === 0) this.#listeners.delete(key)
      }
    }
  }

  #notify(key: string): void {
    const listeners = this.#listeners.get(key)
    if (listeners === undefined) return
    for (const listener of listeners) {
      queueMicrotask(() => {
        if (listeners.has(listener)) listener.onChange(key)
      })
    }
  }

  /** Two rows per write, in turn: memory follows what is alive, without a timer and without a long pause. */
  #sweepSome(now: number): void {
    for (let i = 0; i < 2; i += 1) {
      const next = this.#sweep.next()
      if (next.done === true) {
        this.#sweep = this.#rows.entries()
        return
      }
      const [key, row] = next.value
      if (row.expiresAt <= now) this.#rows.delete(key)
    }
  }
}

interface Row {
  readonly value: string | Uint8Array
  readonly state: string | undefined
  readonly expiresAt: number
}

interface Listener {
  readonly onChange: (key: string) => void
}
