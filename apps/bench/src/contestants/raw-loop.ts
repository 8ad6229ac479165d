import { join } from 'node:path'
import type { Spent } from '../processes/measured.ts'
import { MeasuredProcess } from '../processes/measured-process.ts'
import type { RawLoopArgument } from '../processes/raw-loop.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { drainReadings } from './drain-readings.ts'

/** A bare loop over a table. */
export class RawLoop implements Contestant {
  readonly name = 'raw'
  readonly #options: SuiteOptions
  readonly #payloadBytes: number
  #process: MeasuredProcess | undefined

  constructor(options: SuiteOptions, payloadBytes: number) {
    this.#options = options
    this.#payloadBytes = payloadBytes
  }

  async prepare(): Promise<void> {
    const { cpuProfileFolder, folder, tasks } = this.#options
    const argument: RawLoopArgument = { file: join(folder, 'raw.db'), tasks, payloadBytes: this.#payloadBytes }
    this.#process = await MeasuredProcess.start('raw-loop', { argument, cpuProfileFolder })
    await this.run()
  }

  async run(): Promise<Readings> {
    const loop = this.#process as MeasuredProcess
    loop.send({})
    return drainReadings(this.#options.tasks, await loop.receive<Spent>())
  }

  async dispose(): Promise<void> {
    await this.#process?.stop()
  }
}
