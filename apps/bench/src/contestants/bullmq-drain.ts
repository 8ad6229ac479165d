import type { BullmqArgument } from '../processes/bullmq.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { BullmqPair } from './bullmq-pair.ts'
import { drainReadings } from './drain-readings.ts'

export interface BullmqDrainOptions extends Omit<BullmqArgument, 'url'> {
  readonly name: string
}

const warmUpDrains = 4

/** Fills the queue while the worker stands still, then lets it run everything. */
export class BullmqDrain implements Contestant {
  readonly name: string
  readonly #tasks: number
  readonly #pair: BullmqPair

  constructor({ cpuProfileFolder, tasks }: SuiteOptions, { name, padding, results }: BullmqDrainOptions) {
    this.name = name
    this.#tasks = tasks
    this.#pair = new BullmqPair({ padding, results, cpuProfileFolder })
  }

  async prepare(): Promise<void> {
    await this.#pair.start()
    for (let drain = 0; drain < warmUpDrains; drain++) await this.run()
  }

  async run(): Promise<Readings> {
    const { server, ...spent } = await this.#pair.drain(this.#tasks)
    return { ...drainReadings(this.#tasks, spent), ...server }
  }

  dispose(): Promise<void> {
    return this.#pair.close()
  }
}
