import { join } from 'node:path'
import { openDatabase } from '@celery/sqlite'
import type { DrainCommand, DrainWorkerArgument } from '../processes/drain-worker.ts'
import type { Spent } from '../processes/measured.ts'
import { MeasuredProcess } from '../processes/measured-process.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { declareTasks, embeddedIn } from '../tasks.ts'
import { drainReadings } from './drain-readings.ts'

export interface DrainOptions extends DrainWorkerArgument {
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
  readonly #options: SuiteOptions
  readonly #settings: DrainOptions
  readonly #file: string
  readonly #client: ReturnType<typeof declareTasks>
  #process: MeasuredProcess | undefined

  constructor(options: SuiteOptions, settings: DrainOptions) {
    this.name = settings.name
    this.#options = options
    this.#settings = settings
    this.#file = join(options.folder, `${settings.name}.db`)
    this.#client = declareTasks(embeddedIn(this.#file).options)
  }

  async prepare(): Promise<void> {
    const { concurrency, pool, results } = this.#settings
    this.#process = await MeasuredProcess.start('drain-worker', {
      argument: { concurrency, pool, results } satisfies DrainWorkerArgument,
      environment: embeddedIn(this.#file).environment,
      cpuProfileFolder: this.#options.cpuProfileFolder,
    })
    await this.#drain(() => this.#checkEnvelopes())
    for (let drain = 1; drain < warmUpDrains; drain++) await this.#drain()
  }

  run(): Promise<Readings> {
    return this.#drain()
  }

  async dispose(): Promise<void> {
    await this.#process?.stop()
    await this.#client.app.close()
  }

  async #drain(onFilled: () => Promise<void> = async () => {}): Promise<Readings> {
    const worker = this.#process as MeasuredProcess
    const { tasks } = this.#options
    worker.send({ tasks } satisfies DrainCommand)
    await worker.receive()
    const sendSeconds = await this.#fill()
    await onFilled()
    worker.release()
    return { ...drainReadings(tasks, await worker.receive<Spent>()), sendRate: tasks / sendSeconds }
  }

  /** Resolves to how long it took, in seconds, until the broker had confirmed all of them. */
  async #fill(): Promise<number> {
    const { noop, noopWithResult } = this.#client
    const { padding, results } = this.#settings
    const task = results ? noopWithResult : noop
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: this.#options.tasks }, () => task.delay(padding)))
    return (performance.now() - startedAt) / 1_000
  }

  /** Reads in the file what a message takes there: the comparison with the bare loop rests on it. */
  async #checkEnvelopes(): Promise<void> {
    const { tasks } = this.#options
    const { envelopeBytes } = this.#settings
    const database = await openDatabase(this.#file)
    try {
      const [count, bytes = 0] =
        database.prepare('SELECT count(*), avg(length(payload)) FROM message').values([])[0] ?? []
      const deviation = Math.abs(Number(bytes) / envelopeBytes - 1)
      if (count === tasks && deviation < 0.05) return
      throw new Error(`${this.name}: ${count} messages of ${bytes} bytes, instead of ${tasks} of ${envelopeBytes}`)
    } finally {
      database.close()
    }
  }
}
