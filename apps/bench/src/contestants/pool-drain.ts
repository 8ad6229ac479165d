import { join } from 'node:path'
import { embeddedIn } from '../places.ts'
import { processorSecondsOf } from '../process-usage.ts'
import type { DrainWorkerArgument } from '../processes/drain-worker.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { drainSize, noop, senderOf, type Workload } from '../workloads.ts'
import { DrainedWorker } from './drained-worker.ts'
import { workloadReadings } from './workload-readings.ts'

export interface PoolDrainOptions extends Pick<DrainWorkerArgument, 'concurrency' | 'pool'> {
  readonly name: string
  readonly workloads: readonly Workload[]
}

/** Drains with nothing to do, for the compiler, before each workload has one. */
export const warmUpDrains = 3

/** A pool of ours: each workload in turn, a queue full of it. */
export class PoolDrain implements Contestant {
  readonly name: string
  readonly #tasks: number
  readonly #workloads: readonly Workload[]
  readonly #worker: DrainedWorker

  constructor({ cpuProfileFolder, folder, tasks }: SuiteOptions, options: PoolDrainOptions) {
    const { concurrency, name, pool, workloads } = options
    this.name = name
    this.#tasks = tasks
    this.#workloads = workloads
    this.#worker = new DrainedWorker({
      place: embeddedIn(join(folder, `${name}.db`)),
      cpuProfileFolder,
      concurrency,
      pool,
      profiled: false,
      results: false,
    })
  }

  async prepare(): Promise<void> {
    await this.#worker.start()
    for (let drain = 0; drain < warmUpDrains; drain++) await this.#drain(noop)
    await this.run()
  }

  async run(): Promise<Readings> {
    let readings: Readings = {}
    for (const workload of this.#workloads) readings = { ...readings, ...(await this.#drain(workload)) }
    return readings
  }

  async dispose(): Promise<void> {
    await this.#worker.close()
  }

  async #drain(workload: Workload): Promise<Readings> {
    const tasks = drainSize(workload, this.#tasks)
    let before: number | undefined
    const { seconds } = await this.#worker.drain(tasks, senderOf(workload, this.#worker.tasks), async () => {
      before = processorSecondsOf(this.#worker.pid)
    })
    return workloadReadings(workload, { tasks, seconds, before, after: processorSecondsOf(this.#worker.pid) })
  }
}
