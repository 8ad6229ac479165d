/** The tasks of workers that are replaced one by one; each says when it started. */
import { type AppOptions, Celery } from 'celery'

/** With no options, broker and result store are those that the environment names. */
export function declareArrive(options: AppOptions = {}) {
  const created = new Celery('deploy', { notify: () => {}, ...options })
  created.conf.update({ taskAcksLate: true, unknownTasks: 'requeue' })
  return { app: created, arrive: created.task('deploy.arrive', () => Date.now()) }
}

/** What only the next version has. */
export function declareAdded(to: Celery) {
  return to.task('deploy.added', () => Date.now())
}

export const { app } = declareArrive()
