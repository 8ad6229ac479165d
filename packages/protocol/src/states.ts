/** Celery's own states; custom states are any other upper-case name. */
export type TaskState = 'PENDING' | 'RECEIVED' | 'STARTED' | 'RETRY' | 'SUCCESS' | 'FAILURE' | 'REVOKED' | (string & {})

/** States that nothing follows. */
export const READY_STATES: ReadonlySet<string> = new Set(['SUCCESS', 'FAILURE', 'REVOKED'])
/** States that something follows. */
export const UNREADY_STATES: ReadonlySet<string> = new Set(['PENDING', 'RECEIVED', 'STARTED', 'REJECTED', 'RETRY'])
/** States whose result is an exception. */
export const EXCEPTION_STATES: ReadonlySet<string> = new Set(['RETRY', 'FAILURE', 'REVOKED'])
/** States whose exception `get()` throws. */
export const PROPAGATE_STATES: ReadonlySet<string> = new Set(['FAILURE', 'REVOKED'])
/** The states a stored record or an event of Celery's own can have. */
export const ALL_STATES: ReadonlySet<string> = new Set([
  'PENDING',
  'RECEIVED',
  'STARTED',
  'SUCCESS',
  'FAILURE',
  'RETRY',
  'REVOKED',
])

const RANKS: ReadonlyMap<string, number> = new Map([
  ['SUCCESS', 0],
  ['FAILURE', 1],
  ['REVOKED', 3],
  ['STARTED', 4],
  ['RECEIVED', 5],
  ['REJECTED', 6],
  ['RETRY', 7],
  ['PENDING', 8],
])
const CUSTOM_RANK = 2

/**
 * Orders states for `sort()`, strongest first: when two reports about a task cross, the stronger one tells its state.
 * Custom states come after FAILURE and before REVOKED.
 */
export function compareStates(a: string, b: string): number {
  return (RANKS.get(a) ?? CUSTOM_RANK) - (RANKS.get(b) ?? CUSTOM_RANK)
}
