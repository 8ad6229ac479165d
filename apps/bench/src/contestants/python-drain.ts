import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { DrainedPythonWorker } from './drained-python-worker.ts'

/** The original with two processes. */
export class PythonDrain implements Contestant {
  readonly name = 'python'
  readonly #tasks: number
  readonly #argumentBytes: number
  readonly #worker = new DrainedPythonWorker(['--concurrency=2'])

  constructor({ tasks }: SuiteOptions, padding: string) {
    this.#tasks = tasks
    this.#argumentBytes = padding.length
  }

  async prepare(): Promise<void> {
    await this.#worker.start()
    await this.run()
  }

  async run(): Promise<Readings> {
    const tasks = this.#tasks
    const workload = { task: 'noop', argumentBytes: this.#argumentBytes } as const
    const { sendSeconds, seconds } = await this.#worker.drain(workload, tasks)
    return { rate: tasks / seconds, sendRate: tasks / sendSeconds }
  }

  async dispose(): Promise<void> {
    await this.#worker.close()
  }
}
