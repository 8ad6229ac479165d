import type { Celery } from '@celery/app'
import { UsageError } from './usage-error.ts'

/** The queues of `-Q`, else those of the app, without those of `-X`. @throws UsageError where none is left. */
export function chooseQueues(
  app: Celery,
  selected: readonly string[] | undefined,
  excluded: readonly string[] = [],
): readonly string[] {
  const left = (selected ?? app.queues.names).filter((queue) => !excluded.includes(queue))
  if (left.length === 0) throw new UsageError('no queue is left; see -Q and -X')
  return left
}
