import { type AppOptions, CeleryApp } from '@celery/app'
import { startWorker, type Worker, type WorkerOptions } from '@celery/worker'

/**
 * A Celery application with everything that comes with this package: the embedded broker and result store, the
 * in-memory ones for tests, and a worker to start from a program.
 */
export class Celery extends CeleryApp {
  constructor(main: string, options?: AppOptions) {
    super(main, options)
    this.transports
      .register('sqlite', async () => (await import('@celery/transport-sqlite')).sqlite)
      .register('memory', async () => (await import('@celery/transport-memory')).memory)
    this.backends
      .register('sqlite', async () => (await import('@celery/backend-sqlite')).sqlite)
      .register('memory', async () => (await import('@celery/backend-memory')).memory)
  }

  /**
   * Starts a worker in this program; resolves when it consumes. Tasks run in this process, or with `appModule`, the
   * module that creates the app, in child processes.
   *
   * @example `await using worker = await app.startWorker({ concurrency: 4 })`
   */
  startWorker(options?: WorkerOptions): Promise<Worker> {
    return startWorker(this, options)
  }
}
