import { join } from 'node:path'
import { openDatabase } from '@celery/sqlite'
import { embeddedIn } from '../places.ts'
import type { DrainWorkerArgument } from '../processes/drain-worker.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { drainReadings } from './drain-readings.ts'
import { DrainedWorker } from './drained-worker.ts'

export interface DrainOptions extends Omit<DrainWorkerArgument, 'profiled' | 'transport'> {
  readonly name: string
  /** The argument of every task. */
  readonly padding: string
  /** What an envelope with that argument must take, give or take 5%. */
  readonly envelopeBytes: number
}

/** One is over before the compiler has looked at it: the bare loop, a few lines of code, is warm long before. */
const warmUpDrains = 4

/** Sends tasks while the worker stands still, then lets it run them all. */
export class Drain implements Contestant {
  readonly name: string
  readonly #tasks: number
  readonly #settings: DrainOptions
  readonly #file: string
  readonly #worker: DrainedWorker

  constructor({ cpuProfileFolder, folder, tasks }: SuiteOptions, settings: DrainOptions) {
    const { concurrency, name, pool, results } = settings
    this.name = name
    this.#tasks = tasks
    this.#settings = settings
    this.#file = join(folder, `${name}.db`)
    const place = embeddedIn(this.#file)
    this.#worker = new DrainedWorker({ place, cpuProfileFolder, concurrency, pool, results, profiled: false })
  }

  async prepare(): Promise<void> {
    await this.#worker.start()
    await this.#drain(() => this.#checkEnvelopes())
    for (let drain = 1; drain < warmUpDrains; drain++) await this.#drain()
  }

  run(): Promise<Readings> {
    return this.#drain()
  }

  async dispose(): Promise<void> {
    await this.#worker.close()
  }

  async #drain(onFilled?: () => Promise<void>): Promise<Readings> {
    const { padding, results } = this.#settings
    const { noop, noopWithResult } = this.#worker.tasks
    const task = results ? noopWithResult : noop
    const spent = await this.#worker.drain(this.#tasks, () => task.delay(padding), onFilled)
    return { ...drainReadings(this.#tasks, spent), sendRate: this.#tasks / spent.sendSeconds }
  }

  /** Reads in the file what a message takes there: the comparison with the bare loop rests on it. */
  async #checkEnvelopes(): Promise<void> {
    const { envelopeBytes } = this.#settings
    const database = await openDatabase(this.#file)
    try {
      const [count, bytes = 0] =
        database.prepare('SELECT count(*), avg(length(payload)) FROM message').values([])[0] ?? []
      const deviation = Math.abs(Number(bytes) / envelopeBytes - 1)
      if (count === this.#tasks && deviation < 0.05) return
      throw new Error(
        `${this.name}: ${count} messages of ${bytes} bytes, instead of ${this.#tasks} of ${envelopeBytes}`,
      )
    } finally {
      database.close()
    }
  }
}
