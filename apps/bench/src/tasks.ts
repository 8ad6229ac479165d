/**
 * The tasks that are measured: imported by the client, by the workers and by their pool processes. The broker is the
 * embedded one, in the file that `CELERY_LOCAL` names.
 */
import { Celery } from 'celery'

export const app = new Celery('bench', { notify: () => {} })

/** Nothing to do and nothing to keep: what is left is the cost of the queue. */
export const noop = app.task('bench.noop', (_padding: string) => {}, { ignoreResult: true })

/** The same, with its result kept. */
export const noopWithResult = app.task('bench.noopWithResult', (_padding: string) => {})

/** For round trips. */
export const echo = app.task('bench.echo', (value: number) => value)
