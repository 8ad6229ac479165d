import { processorSecondsOf } from '../process-usage.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { drainSize, type Workload } from '../workloads.ts'
import { DrainedPythonWorker } from './drained-python-worker.ts'
import { workloadReadings } from './workload-readings.ts'

export interface PythonPoolOptions {
  readonly name: string
  readonly pool: 'prefork' | 'solo' | 'threads'
  readonly concurrency: number
  readonly workloads: readonly Workload[]
}

/** It takes long, and a figure per task needs no more of them. */
const portion = 1 / 5

/** A pool of the original. */
export class PythonPool implements Contestant {
  readonly name: string
  readonly #tasks: number
  readonly #workloads: readonly Workload[]
  readonly #worker: DrainedPythonWorker

  constructor({ tasks }: SuiteOptions, { concurrency, name, pool, workloads }: PythonPoolOptions) {
    this.name = name
    this.#tasks = Math.ceil(tasks * portion)
    this.#workloads = workloads
    this.#worker = new DrainedPythonWorker({ args: [`--pool=${pool}`, `--concurrency=${concurrency}`] })
  }

  async prepare(): Promise<void> {
    await this.#worker.start()
    await this.run()
  }

  async run(): Promise<Readings> {
    let readings: Readings = {}
    for (const workload of this.#workloads) {
      const { argumentBytes, task } = workload
      const tasks = drainSize(workload, this.#tasks)
      // It is idle while its queue is filled. What Redis does for it is left out.
      const before = processorSecondsOf(this.#worker.pid)
      const { seconds } = await this.#worker.drain({ task, argumentBytes, tasks })
      const after = processorSecondsOf(this.#worker.pid)
      readings = { ...readings, ...workloadReadings(workload, { tasks, seconds, before, after }) }
    }
    return readings
  }

  async dispose(): Promise<void> {
    await this.#worker.close()
  }
}
