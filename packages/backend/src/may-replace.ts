/**
 * Whether a record in state `next` may replace one in state `current`: SUCCESS and REVOKED are never replaced, FAILURE only by
 * SUCCESS (a task that ran again, as Celery since 4.4.7), anything else by anything.
 */
export function mayReplace(current: string | undefined, next: string): boolean {
  if (current === 'SUCCESS' || current === 'REVOKED') return false
  if (current === 'FAILURE') return next === 'SUCCESS'
  return true
}
