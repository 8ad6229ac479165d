import type { Place } from '../places.ts'
import type { DrainCommand, DrainWorkerArgument } from '../processes/drain-worker.ts'
import type { Spent } from '../processes/measured.ts'
import { MeasuredProcess } from '../processes/measured-process.ts'
import { declareTasks } from '../tasks.ts'

export interface DrainedWorkerOptions extends Omit<DrainWorkerArgument, 'transport'> {
  /** Its broker and result store, and the client's. */
  readonly place: Place
  readonly environment?: Readonly<Record<string, string>>
  readonly cpuProfileFolder?: string | undefined
}

/** What one drain took. */
export interface DrainResult extends Spent {
  /** Seconds until the broker had confirmed all messages. */
  readonly sendSeconds: number
}

/** A worker of ours in a process of its own, and a client that fills its queue. */
export class DrainedWorker {
  /** The client's tasks, bound to the worker's queue. */
  readonly tasks: ReturnType<typeof declareTasks>
  readonly #options: DrainedWorkerOptions
  #process: MeasuredProcess | undefined

  constructor(options: DrainedWorkerOptions) {
    this.#options = options
    this.tasks = declareTasks(options.place.options)
  }

  async start(): Promise<void> {
    const { concurrency, cpuProfileFolder, environment, place, pool, profiled, results } = this.#options
    const { transport } = place
    this.#process = await MeasuredProcess.start('drain-worker', {
      argument: { concurrency, pool, profiled, results, transport } satisfies DrainWorkerArgument,
      environment: { ...place.environment, ...environment },
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
    let sendSeconds = 0
    const spent = await this.drainFilled(tasks, async () => {
      const startedAt = performance.now()
      await Promise.all(Array.from({ length: tasks }, send))
      sendSeconds = (performance.now() - startedAt) / 1_000
      await onFilled()
    })
    return { ...spent, sendSeconds }
  }

  /** Has `fill` put `tasks` tasks into the queue while the worker stands still, then lets it run them all. */
  async drainFilled(tasks: number, fill: () => Promise<void>): Promise<Spent> {
    const worker = this.#process as MeasuredProcess
    worker.send({ tasks } satisfies DrainCommand)
    await worker.receive()
    await fill()
    worker.release()
    return worker.receive<Spent>()
  }

  /** Safe where it never started. */
  async close(): Promise<void> {
    await this.#process?.stop()
    await this.tasks.app.close()
  }
}
