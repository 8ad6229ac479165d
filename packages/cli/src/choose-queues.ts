import type { Celery } from '@celery/app'
import { UsageError } from './usage-error.ts'

/** The queues of `-Q`, else those of the app, without those of `-X`; each once. @throws UsageError where none is left. */
export function chooseQueues(
  app: Celery,
  selected: readonly string[] | undefined,
  excluded: readonly string[] = [],
): readonly string[] {
  const left = new Set(selected ?? app.queues.names)
  for (const queue of excluded) left.delete(queue)
  if (left.size === 0) throw new UsageError('no queue is left; see -Q and -X')
  return [...left]
}
