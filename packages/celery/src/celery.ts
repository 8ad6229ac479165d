import { type AppOptions, CeleryApp } from '@celery/app'
import { backendPackages, transportPackages } from '@celery/app/internal'
import { startWorker, type Worker, type WorkerOptions } from '@celery/worker'
import { bundledBackends, bundledTransports } from './bundled-drivers.ts'

/**
 * A Celery application with everything that comes with this package: the embedded broker and result store, the
 * in-memory ones for tests, and a worker to start from a program.
 */
export class Celery extends CeleryApp {
  constructor(main: string, options?: AppOptions) {
    super(main, options)
    // The schemes are the app's; what comes with this package need not be among the application's own dependencies.
    for (const [scheme, driver] of Object.entries(transportPackages)) {
      const load = bundledTransports.get(driver.package)
      if (load !== undefined) this.transports.register(scheme, load)
    }
    for (const [scheme, driver] of Object.entries(backendPackages)) {
      const load = bundledBackends.get(driver.package)
      if (load !== undefined) this.backends.register(scheme, load)
    }
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
