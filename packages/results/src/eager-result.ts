import { AsyncResult } from './async-result.ts'
import type { ResultReader } from './result-reader.ts'
import { localMeta, remoteError } from './task-meta.ts'

/** The result of a task that ran in this process, by `apply()` or in eager mode. Nothing of it is in the store. */
export class EagerResult<out T = unknown> extends AsyncResult<T> {
  constructor(id: string, reader: ResultReader, outcome: EagerOutcome<T>) {
    const dateDone = new Date(reader.clock.now())
    const details = { dateDone, name: outcome.name ?? null, traceback: outcome.traceback ?? null }
    const result = 'error' in outcome ? outcome.error : 'value' in outcome ? outcome.value : null
    super(id, reader, { parent: outcome.parent, known: localMeta(id, outcome.state, result, details) })
  }

  /** It has ended, also where its state is not final (`IGNORED`, `RETRY`). */
  override async ready(): Promise<boolean> {
    return true
  }

  /** Nothing is stored, so there is nothing to delete. */
  override async forget(): Promise<void> {}

  /** Only marks it as revoked: the task ran already. */
  override async revoke(): Promise<void> {
    const form = { exc_type: 'TaskRevokedError', exc_message: ['revoked'], exc_module: 'celery.exceptions' }
    const error = remoteError(this.id, form, null, this.reader.source.errors)
    this.keep(localMeta(this.id, 'REVOKED', error, { dateDone: new Date(this.reader.clock.now()) }))
  }

  /** Getting it never waits, so it is allowed everywhere. */
  protected override assertMayBlock(): void {}
}

/** How the task ended. */
export type EagerOutcome<T> = (
  | { readonly state: 'SUCCESS'; readonly value: T }
  | { readonly state: 'FAILURE' | 'REVOKED'; readonly error: Error }
  /** It left nothing: `get()` resolves to `null`. */
  | { readonly state: 'RETRY' | 'IGNORED' | 'REJECTED' }
) & {
  readonly parent?: AsyncResult | undefined
  readonly name?: string | undefined
  readonly traceback?: string | null | undefined
}
