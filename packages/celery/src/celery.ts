import { type AppOptions, CeleryApp } from '@celery/app'
import { backendPackages, transportPackages } from '@celery/app/internal'
import type { Worker, WorkerOptions } from '@celery/worker'
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
   * Runs the `celery` command on this app, `app.start(['call', 'add', '--args', '[2, 2]'])` for example, and resolves to its
   * exit status. A worker that is started so runs tasks in this process unless `-A` names the module of the app.
   *
   * @param args - Default: those of the program.
   */
  async start(args: readonly string[] = process.argv.slice(2)): Promise<number> {
    const { runCommand } = await import('@celery/cli')
    return runCommand(args, { app: this })
  }

  /**
   * Starts a worker in this program; resolves when it consumes. Tasks run in this process, or with `appModule`, the
   * module that creates the app, in child processes.
   *
   * @example `await using worker = await app.startWorker({ concurrency: 4 })`
   */
  async startWorker(options?: WorkerOptions): Promise<Worker> {
    // Programs that only send need not know of workers.
    const { startWorker } = await import('@celery/worker')
    return startWorker(this, options)
  }
}
