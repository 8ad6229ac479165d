import type { ChildStartError } from '@celery/process-pool'
import { CeleryError } from '@celery/promises'

/** A process or thread in which tasks are to run could not be started: mostly, the module of the app fails there. */
export class PoolStartError extends CeleryError {
  override readonly name = 'PoolStartError'
  readonly code = 'ERR_CELERY_POOL_START'
  readonly pool: string

  constructor(pool: string, cause: ChildStartError) {
    // Which module of ours it was that did not start says nothing to whoever wrote the one that failed.
    super(`the pool ${pool} cannot start: ${cause.childError?.message ?? cause.message}`, { cause })
    this.pool = pool
  }

  /** What to tell of an error of the pool's children. */
  static from(pool: string, error: Error): Error {
    return CeleryError.is(error, 'ERR_CELERY_CHILD_START') ? new PoolStartError(pool, error as ChildStartError) : error
  }
}
