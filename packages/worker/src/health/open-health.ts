import { complain } from '../worker-context.ts'
import { healthFolder } from './health-folder.ts'
import { HealthKeeper } from './health-keeper.ts'
import { HealthMonitor, type HealthMonitorOptions } from './health-monitor.ts'
import { HealthServer, type Listening } from './health-server.ts'
import { offerRunningTask } from './offer-running-task.ts'

export interface HealthService {
  /** @throws what keeps it from listening */
  start(): Promise<Listening>
  /** Lets whoever answers while the main loop is blocked know the latest. Never rejects. */
  tell(): Promise<void>
  /** Safe twice. */
  stop(): Promise<void>
}

/**
 * Makes what answers: a thread where tasks run in the worker's own process, because they can block the main loop; elsewhere
 * the main loop itself, which takes less memory.
 */
export function openHealth(options: HealthMonitorOptions & { readonly port: number | undefined }): HealthService {
  const { port, vitals, worker } = options
  const { app, hostname } = worker
  const source = new HealthMonitor(options)
  // There are no such sockets for Node on Windows.
  const isOwnWanted = worker.options.health === true && process.platform !== 'win32'
  const where = {
    port,
    host: worker.options.healthHost ?? app.conf.workerHealthHost,
    place: isOwnWanted ? { folder: healthFolder(), node: hostname } : undefined,
  }
  const { lastTask } = vitals
  if (lastTask === undefined) {
    const server = new HealthServer({ ...where, source })
    return { start: () => server.start(), stop: () => server.stop(), tell: async () => {} }
  }
  offerRunningTask()
  return new HealthKeeper({
    ...where,
    source,
    memory: { beat: vitals.beat.shared, lastTask: lastTask.shared },
    onError: (error) => complain(worker, `health: ${error.message}`),
  })
}
