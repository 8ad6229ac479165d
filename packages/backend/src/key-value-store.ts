import type { AbortableOptions } from '@celery/promises'
import type { AtomicWrite } from '@celery/protocol'
import type { ChordCounter } from './result-backend.ts'

/** All that a simple store implements; `keyValueBackend()` makes a `ResultBackend` of it, with Celery's key names. */
export interface KeyValueStore extends AsyncDisposable {
  readonly domain: string | undefined
  getMany(keys: readonly string[], options?: AbortableOptions): Promise<ReadonlyMap<string, KeyValueEntry>>
  set(entries: readonly KeyValueWrite[], options?: AbortableOptions): Promise<void>
  /** Writes each entry only where `mayReplace` (see there) allows what is stored to be replaced by it, atomically per entry. */
  putUnlessTerminal(entries: readonly StateWrite[], options?: AbortableOptions): Promise<void>
  /** `putUnlessTerminal` for a broker of the same domain to carry out. Present if `domain` is. */
  preparePutUnlessTerminal?(entries: readonly StateWrite[]): readonly AtomicWrite[]
  delete(keys: readonly string[], options?: AbortableOptions): Promise<void>
  /** Calls `onChange` when one of the keys may have changed; see `ResultBackend.watch`. Absent: the backend polls. */
  subscribe?(
    keys: readonly string[],
    onChange: (key: string) => void,
    options?: AbortableOptions,
  ): Promise<AsyncDisposable>
  /**
   * Counts chords, where the store can do that atomically. Ids are checked by then.
   * @param groupKeyPrefix - What Celery's keys of a group begin with; its id follows, and `.j`, `.s` or `.t`.
   */
  countChords?(groupKeyPrefix: string): ChordCounter
  /** Removes what has expired, where the store does not do so by itself. */
  cleanup?(options?: AbortableOptions): Promise<number>
  close(): Promise<void>
}

export interface KeyValueEntry {
  /** As it was written; text may come back as its bytes in UTF-8. */
  readonly value: string | Uint8Array
  /** As given with `putUnlessTerminal`. */
  readonly state: string | undefined
}

export interface KeyValueWrite {
  readonly key: string
  readonly value: string | Uint8Array
  readonly ttlMs?: number
}

export interface StateWrite extends KeyValueWrite {
  readonly state: string
}
