/**
 * The driver side of a result store. A backend answers questions and keeps records; it never sends messages and
 * never decodes a value.
 */
import type { AbortableOptions } from '@celery/promises'
import type { AtomicWrite } from '@celery/protocol'

/** What a driver package exports: how to open its store. */
export interface BackendDriver {
  /** Name for logs, `redis` for example. */
  readonly name: string
  /** @throws BackendUnavailableError where the store cannot be reached; it may be tried again. */
  open(url: string, options?: OpenBackendOptions): Promise<ResultBackend>
}

export interface OpenBackendOptions extends AbortableOptions {
  /** Reads the time; for tests. @defaultValue `Date.now` */
  readonly now?: () => number
  /** Settings of the driver (`result_backend_transport_options`). */
  readonly transportOptions?: Readonly<Record<string, unknown>>
  /** Tries once to reach the store, for who tries again by itself. @defaultValue `false`: as often as any call is repeated */
  readonly once?: boolean
}

export interface ResultBackend extends AsyncDisposable {
  /** Where a broker with the same domain can take the writes of `prepare` into its own transaction. */
  readonly domain: string | undefined

  /**
   * Stores records. A task in a final state (SUCCESS, FAILURE, REVOKED) stays as it is whatever is written after it,
   * except that a task which was retried or ran again may replace a FAILURE by a SUCCESS (as Celery 4.4.7 and later: only SUCCESS is
   * never overwritten); a final state is never replaced by one that is not, and a state of the task's own never by STARTED.
   */
  store(writes: readonly ResultWrite[], options?: AbortableOptions): Promise<void>
  /** The same writes, by the same rules, for a broker of the same `domain` to carry out. Present if `domain` is. */
  prepare?(writes: readonly ResultWrite[]): readonly AtomicWrite[]
  /**
   * Records of those tasks that have one; expired ones have none. What another program has put there and is no record comes
   * without a state, and must not keep anybody from the others.
   */
  fetch(taskIds: readonly string[], options?: AbortableOptions): Promise<ReadonlyMap<string, StoredRecord>>
  forget(taskIds: readonly string[], options?: AbortableOptions): Promise<void>
  /**
   * Calls `onChange` whenever the record of one of the tasks may have changed. Resolves when it is watching: a
   * `fetch` after that misses nothing. Calls may be spurious, and come after every reconnect.
   */
  watch(
    taskIds: readonly string[],
    onChange: (taskId: string) => void,
    options?: AbortableOptions,
  ): Promise<AsyncDisposable>
  /** Removes expired records, where the store does not do so by itself; resolves to how many. */
  cleanup(options?: AbortableOptions): Promise<number>
  /** Present only where the store can count atomically. */
  readonly chords?: ChordCounter
  close(): Promise<void>
}

export interface ResultWrite {
  readonly taskId: string
  readonly state: string
  /** The encoded result record: text of JSON or YAML, or the bytes of another serializer or a compression. */
  readonly record: string | Uint8Array
  /** Milliseconds after which it may be forgotten; absent means never. */
  readonly ttlMs?: number
}

export interface StoredRecord {
  readonly taskId: string
  /** Undefined where it is not to be found, because another program wrote it. */
  readonly state: string | undefined
  /** What was stored; text may come back as its bytes in UTF-8, and does from stores that know no text. */
  readonly record: string | Uint8Array
}

/** Counts the finished parts of a chord's header. A part that is recorded again, under the id of its task, counts once. */
export interface ChordCounter {
  /** Says how many parts there are, before the first of them is sent. */
  begin(groupId: string, size: number, options?: ChordOptions): Promise<void>
  /** Says that a running part adds these tasks (`add_to_chord`), before they are sent. Saying it again adds nothing. */
  extend(groupId: string, taskIds: readonly string[], options?: ChordOptions): Promise<void>
  /**
   * Resolves to all parts for the one call that completed the count, else to `undefined`. The part that completed it does
   * so again when it is recorded again, because whoever did it first may have died before the body was sent; after the
   * completion was disposed nothing does.
   */
  recordPart(part: ChordPart, options?: ChordOptions): Promise<ChordCompletion | undefined>
}

export interface ChordOptions extends AbortableOptions {
  /** Milliseconds, counted from each part anew, after which the counters may be forgotten. @defaultValue never */
  readonly ttlMs?: number | undefined
}

export interface ChordPart {
  readonly groupId: string
  readonly taskId: string
  /** Its place in the header (`group_index`); `undefined` comes after all others. */
  readonly index: number | undefined
  /** A final one. A FAILURE gives way to a SUCCESS of the same task, as with results; otherwise the first one stays. */
  readonly state: string
  /** What is kept of it for the body, encoded: `[1, taskId, state, value]` in Celery. The counter does not look inside. */
  readonly member: string | Uint8Array
  /** How many parts there are, where the sender did not say so with `begin`, as Celery before 5.1 (`chord_size`). */
  readonly size?: number | undefined
}

/** Disposing it, after the body was sent, deletes the counters. */
export interface ChordCompletion extends AsyncDisposable {
  /** `member` of each part, in order of `index`; text may come back as its bytes in UTF-8. */
  readonly members: readonly (string | Uint8Array)[]
}
