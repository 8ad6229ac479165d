import { type RedisServer, startRedis } from '@celery/test-servers'
import { redisAt } from '../places.ts'
import type { DrainWorkerArgument } from '../processes/drain-worker.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { drainReadings } from './drain-readings.ts'
import { DrainedWorker } from './drained-worker.ts'
import { ServerUsage } from './server-usage.ts'

export interface RedisDrainOptions extends Omit<DrainWorkerArgument, 'profiled' | 'transport'> {
  readonly name: string
  /** The argument of every task. */
  readonly padding: string
}

const warmUpDrains = 4

/** Sends tasks to a Redis of its own while the worker stands still, then lets it run them all. */
export class RedisDrain implements Contestant {
  readonly name: string
  readonly #suite: SuiteOptions
  readonly #options: RedisDrainOptions
  #redis: RedisServer | undefined
  #worker: DrainedWorker | undefined

  constructor(suite: SuiteOptions, options: RedisDrainOptions) {
    this.name = options.name
    this.#suite = suite
    this.#options = options
  }

  async prepare(): Promise<void> {
    const { concurrency, pool, results } = this.#options
    const { cpuProfileFolder } = this.#suite
    this.#redis = await startRedis()
    const place = redisAt(this.#redis.url)
    this.#worker = new DrainedWorker({ place, cpuProfileFolder, concurrency, pool, results, profiled: false })
    await this.#worker.start()
    for (let drain = 0; drain < warmUpDrains; drain++) await this.run()
  }

  async run(): Promise<Readings> {
    const { padding, results } = this.#options
    const { tasks } = this.#suite
    const worker = this.#worker as DrainedWorker
    const task = results ? worker.tasks.noopWithResult : worker.tasks.noop
    const usage = new ServerUsage(this.#redis as RedisServer)
    const spent = await worker.drain(
      tasks,
      () => task.delay(padding),
      async () => usage.start(),
    )
    return { ...drainReadings(tasks, spent), ...usage.readings(tasks) }
  }

  async dispose(): Promise<void> {
    await this.#worker?.close()
    await this.#redis?.close()
  }
}
