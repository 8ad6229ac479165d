import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { DrainedPythonWorker } from './drained-python-worker.ts'

export interface PythonDrainOptions {
  readonly name: string
  /** The argument of every task. */
  readonly padding: string
  /** Whether the tasks keep their results. */
  readonly results: boolean
}

/** The original with two processes. */
export class PythonDrain implements Contestant {
  readonly name: string
  readonly #tasks: number
  readonly #options: PythonDrainOptions
  readonly #worker: DrainedPythonWorker

  constructor({ tasks }: SuiteOptions, options: PythonDrainOptions) {
    this.name = options.name
    this.#tasks = tasks
    this.#options = options
    this.#worker = new DrainedPythonWorker({ args: ['--concurrency=2'], results: options.results })
  }

  async prepare(): Promise<void> {
    await this.#worker.start()
    await this.run()
  }

  async run(): Promise<Readings> {
    const tasks = this.#tasks
    const { padding, results } = this.#options
    const order = { task: results ? 'noopWithResult' : 'noop', argumentBytes: padding.length, tasks }
    const { sendSeconds, seconds } = await this.#worker.drain(order)
    return { rate: tasks / seconds, sendRate: tasks / sendSeconds }
  }

  async dispose(): Promise<void> {
    await this.#worker.close()
  }
}
