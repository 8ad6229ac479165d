/**
 * Whether a record in state `next` may replace one in state `current` (`undefined`: there is none, or it has expired).
 * Every store follows this one table, and the conformance kit checks each pair of it.
 *
 * | stored             | is replaced by       |
 * | ------------------ | -------------------- |
 * | nothing            | anything             |
 * | not final          | anything             |
 * | one of the task's  | anything but STARTED |
 * | FAILURE            | SUCCESS only         |
 * | REVOKED            | nothing              |
 * | SUCCESS            | nothing              |
 *
 * Celery (4.4.7 and later) protects SUCCESS alone, so a redelivered run could take a finished task back to STARTED.
 * Here a final state stays final. FAILURE gives way to SUCCESS, because a task whose worker was lost, or which was
 * taken out of the dead letters, runs again under its id and may succeed; what that second run reports before it
 * succeeds (STARTED, RETRY, another FAILURE) changes nothing. REVOKED stays although the run may have been too late
 * to stop: whoever revoked it has been told so, and a success that arrives after it comes from an owner that had
 * already lost the task.
 *
 * A state of the task's own (PROGRESS, ABORTED) comes after STARTED, as in Celery's order of states: a worker reports
 * the start while the task may already be telling how far it is, and what the task says must not be lost by that.
 */
export function mayReplace(current: string | undefined, next: string): boolean {
  if (current === 'SUCCESS' || current === 'REVOKED') return false
  if (current === 'FAILURE') return next === 'SUCCESS'
  return next !== 'STARTED' || current === undefined || BEFORE_STARTED.has(current)
}

/** What Celery itself stores of a task that has not ended. */
const BEFORE_STARTED: ReadonlySet<string> = new Set(['PENDING', 'RECEIVED', 'STARTED', 'RETRY', 'REJECTED', 'IGNORED'])
