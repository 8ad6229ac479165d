import { join } from 'node:path'
import type { DrainCommand, DrainWorkerArgument } from '../processes/drain-worker.ts'
import type { Spent } from '../processes/measured.ts'
import { MeasuredProcess } from '../processes/measured-process.ts'
import { declareTasks, embeddedIn } from '../tasks.ts'

export interface DrainedWorkerOptions extends DrainWorkerArgument {
  /** Names its file. */
  readonly name: string
  readonly folder: string
  readonly environment?: Readonly<Record<string, string>>
  readonly cpuProfileFolder?: string | undefined
}

/** What one drain took. */
export interface DrainResult extends Spent {
  /** Seconds until the broker had confirmed all messages. */
  readonly sendSeconds: number
}

/** A worker of ours in a process of its own, on a file of its own, and a client that fills its queue. */
export class DrainedWorker {
  /** The client's tasks, bound to the worker's queue. */
  readonly tasks: ReturnType<typeof declareTasks>
  readonly file: string
  readonly #options: DrainedWorkerOptions
  #process: MeasuredProcess | undefined

  constructor(options: DrainedWorkerOptions) {
    this.#options = options
    this.file = join(options.folder, `${options.name}.db`)
    this.tasks = declareTasks(embeddedIn(this.file).options)
  }

  async start(): Promise<void> {
    const { concurrency, cpuProfileFolder, environment, pool, profiled, results } = this.#options
    this.#process = await MeasuredProcess.start('drain-worker', {
      argument: { concurrency, pool, profiled, results } satisfies DrainWorkerArgument,
      environment: { ...embeddedIn(this.file).environment, ...environment },
      cpuProfileFolder,
    })
  }

  /** Of the worker itself, without its children. */
  get pid(): number {
    return (this.#process as MeasuredProcess).pid
  }

  /** Has `send` called `tasks` times while the worker stands still, then lets it run them all. */
  async drain(
    tasks: number,
    send: () => Promise<unknown>,
    onFilled = async (): Promise<void> => {},
  ): Promise<DrainResult> {
    const worker = this.#process as MeasuredProcess
    worker.send({ tasks } satisfies DrainCommand)
    await worker.receive()
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: tasks }, send))
    const sendSeconds = (performance.now() - startedAt) / 1_000
    await onFilled()
    worker.release()
    return { ...(await worker.receive<Spent>()), sendSeconds }
  }

  /** Safe where it never started. */
  async close(): Promise<void> {
    await this.#process?.stop()
    await this.tasks.app.close()
  }
}
