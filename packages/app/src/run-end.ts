import type { Publication } from '@celery/transport'
import type { Retry } from './run-requests.ts'

/** The next run of a task. */
export interface PlannedRetry {
  readonly error: Retry
  readonly publication: Publication
}

/** What a run of a task came to, before it is encoded. */
export type RunEnd = { readonly state: 'SUCCESS'; readonly result: unknown } | ThrownEnd

/** What it came to where the task threw. */
export type ThrownEnd =
  | { readonly state: 'FAILURE' | 'IGNORED'; readonly result: unknown }
  | { readonly state: 'REJECTED'; readonly result: unknown; readonly requeue: boolean }
  | ({ readonly state: 'RETRY' } & PlannedRetry)
