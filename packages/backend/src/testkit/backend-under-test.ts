import type { AtomicWrite } from '@celery/protocol'
import type { OpenBackendOptions, ResultBackend } from '../result-backend.ts'

/** One store, empty or at least without records of the kit's ids, to which any number of connections can be opened. */
export interface BackendUnderTest extends AsyncDisposable {
  readonly traits: BackendTraits
  connect(options?: OpenBackendOptions): Promise<ResultBackend>
  /** Carries out prepared writes as a broker of the same domain does: all or none. Present if `traits.prepares`. */
  commit?(writes: readonly AtomicWrite[]): Promise<void>
  /** Puts under the key of a task what is no record, as another program may. Absent where nobody else can write. */
  spoil?(taskId: string): Promise<void>
}

/** What a case may need. Data, so that what was left out can be seen. */
export interface BackendTraits {
  /** Records survive closing every connection. */
  readonly durable: boolean
  /** Expiry follows `OpenBackendOptions.now`; a server with a clock of its own has `false`. */
  readonly clock: boolean
  /** The backend has `prepare`. */
  readonly prepares: boolean
  /** The backend has `chords`. @defaultValue `false` */
  readonly chords?: boolean
  /** Other programs may write there; see `BackendUnderTest.spoil`. @defaultValue `false` */
  readonly shared?: boolean
}

/** One thing that every result backend must do. */
export interface BackendCase {
  /** A sentence about behaviour. */
  readonly name: string
  /** Absent: every backend must do it. */
  readonly needs?: (traits: BackendTraits) => boolean
  /** Rejects if the backend does not do it. */
  run(context: CaseContext): Promise<void>
}

/** What a case works with. */
export interface CaseContext {
  /** The first connection. */
  readonly backend: ResultBackend
  /** Opens another connection to the same store; all are closed after the case. */
  connect(): Promise<ResultBackend>
  /** Closes every connection and opens a new one. */
  reopen(): Promise<ResultBackend>
  /** An id that no other case uses. */
  id(name?: string): string
  /** Moves the injected clock of all connections. */
  advance(ms: number): void
  commit(writes: readonly AtomicWrite[]): Promise<void>
  /** Puts under the key of a task what is no record. */
  spoil(taskId: string): Promise<void>
  /** Rejects if `promise` takes longer than the deadline. `what` ends the sentence "timed out: …". */
  within<T>(what: string, promise: Promise<T>): Promise<T>
}
