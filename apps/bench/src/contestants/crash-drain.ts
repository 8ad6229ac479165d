import { join } from 'node:path'
import { embeddedIn } from '../places.ts'
import type { CrashCommand, CrashResult, CrashWorkerArgument } from '../processes/crash-worker.ts'
import { MeasuredProcess } from '../processes/measured-process.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { declareTasks } from '../tasks.ts'

export interface CrashDrainOptions {
  readonly name: string
  readonly concurrency: number
  /** What the good tasks do, for 5 ms each. */
  readonly goodTask: 'compute' | 'wait'
  readonly poisonTasks: 0 | 1
}

/** A queue full of good tasks, with or without one behind the first hundredth of them that kills whoever runs it. */
export class CrashDrain implements Contestant {
  readonly name: string
  readonly #tasks: number
  readonly #options: CrashDrainOptions
  readonly #file: string
  readonly #folder: string | undefined
  readonly #client: ReturnType<typeof declareTasks>
  #worker: MeasuredProcess | undefined

  constructor({ cpuProfileFolder, folder, tasks }: SuiteOptions, options: CrashDrainOptions) {
    this.name = options.name
    this.#tasks = tasks
    this.#options = options
    this.#file = join(folder, `${options.name}.db`)
    this.#folder = cpuProfileFolder
    this.#client = declareTasks(embeddedIn(this.#file).options)
  }

  async prepare(): Promise<void> {
    this.#worker = await MeasuredProcess.start('crash-worker', {
      argument: { concurrency: this.#options.concurrency } satisfies CrashWorkerArgument,
      environment: embeddedIn(this.#file).environment,
      cpuProfileFolder: this.#folder,
    })
    await this.#drain(Math.ceil(this.#tasks / 10), 0)
  }

  async run(): Promise<Readings> {
    const { poisonTasks } = this.#options
    const { seconds, ...crashes } = await this.#drain(this.#tasks, poisonTasks)
    const rate = this.#tasks / seconds
    return { rate, ...(poisonTasks === 0 ? { rateWhileCrashing: rate } : crashes) }
  }

  async dispose(): Promise<void> {
    await this.#worker?.stop()
    await this.#client.app.close()
  }

  async #drain(goodTasks: number, poisonTasks: number): Promise<CrashResult> {
    const worker = this.#worker as MeasuredProcess
    const { poison } = this.#client
    const good = this.#client[this.#options.goodTask]
    worker.send({ goodTasks, poisonTasks } satisfies CrashCommand)
    await worker.receive()
    const before = Math.ceil(goodTasks / 100)
    await Promise.all(Array.from({ length: before }, () => good.delay()))
    if (poisonTasks > 0) await poison.delay()
    await Promise.all(Array.from({ length: goodTasks - before }, () => good.delay()))
    worker.release()
    return worker.receive<CrashResult>()
  }
}
