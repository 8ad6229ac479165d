import type { ResultBackend } from '@celery/backend'
import type { AbortableOptions, Clock } from '@celery/promises'
import type { ErrorRegistry, ResultRecord } from '@celery/protocol'

/** What results need of the application they belong to. */
export interface ResultSource {
  /** The store, opened at the first call. */
  backend(): Promise<ResultBackend>
  /** The error classes that a failed task's error may be rebuilt as. @defaultValue none: it is a `RemoteTaskError` */
  readonly errors?: ErrorRegistry | undefined
  /** Reads a stored record. @defaultValue `decodeResultRecord` of `@celery/protocol`, which reads JSON */
  decodeRecord?(record: string | Uint8Array): ResultRecord | Promise<ResultRecord>
  /** Whether errors of tasks show where they happened in the worker, in their `stack`. @defaultValue no */
  showsRemoteTracebacks?(): boolean
  /** Ends tasks; absent where nothing can. */
  readonly revoker?: Revoker | undefined
  /** Stores for a task that it is to end by itself; absent where nothing stores. */
  abort?(taskId: string): Promise<void>
  /** Throws where waiting for another task is forbidden: inside a task, where it can take the slot that the other one needs. */
  assertMayBlock?(taskId: string): void
  /** Told of a failure that no caller waits for, such as a watch that could not be ended. @defaultValue `process.emitWarning` */
  onError?(error: unknown): void
  /** For tests. @defaultValue the machine's time */
  readonly clock?: Clock | undefined
}

/** Asks the workers to end tasks. `@celery/control` implements it. */
export interface Revoker {
  revoke(taskIds: readonly string[], options?: RevokeOptions): Promise<void>
}

export interface RevokeOptions extends AbortableOptions {
  /** Also ends the task where it runs already. @defaultValue `false` */
  readonly terminate?: boolean
  /** The process signal for `terminate`. @defaultValue `'SIGTERM'` */
  readonly killSignal?: string
}
