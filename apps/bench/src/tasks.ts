/** The tasks that are measured: `celery -A` and pool processes import this module, clients call `declareTasks`. */
import { setTimeout as delay } from 'node:timers/promises'
import { type AppOptions, Celery } from 'celery'

/** Milliseconds for which the task `wait` waits, and `compute` computes. */
export const waitMs = 5

/** With no options, broker and result store are those that the environment names. */
export function declareTasks(options: AppOptions = {}) {
  const app = new Celery('bench', { notify: () => {}, ...options })
  // Else they are looked for where the program was started.
  app.transports.register('redis', async () => (await import('@celery/transport-redis')).redis)
  app.backends.register('redis', async () => (await import('@celery/backend-redis')).redis)
  return {
    app,
    /** Nothing to do and nothing to keep: what is left is the cost of the queue. */
    noop: app.task('bench.noop', (_padding: string) => {}, { ignoreResult: true }),
    /** The same, with its result kept. */
    noopWithResult: app.task('bench.noopWithResult', (_padding: string) => {}),
    /** Waits as a task does that asks somebody else, and lets its slot's processor be. */
    wait: app.task('bench.wait', () => delay(waitMs), { ignoreResult: true }),
    /** Keeps its slot's processor busy for as long. */
    compute: app.task('bench.compute', compute, { ignoreResult: true }),
    /** Kills the process that runs it, whichever and how often ever. */
    poison: app.task('bench.poison', () => process.kill(process.pid, 'SIGKILL'), { ignoreResult: true }),
    echo: app.task('bench.echo', (value: number) => value),
  }
}

export const { app } = declareTasks()

function compute(): void {
  for (const end = performance.now() + waitMs; performance.now() < end; );
}
