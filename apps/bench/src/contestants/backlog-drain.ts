import { setTimeout as delay } from 'node:timers/promises'
import { type RedisServer, startRedis } from '@celery/test-servers'
import { redisAt } from '../places.ts'
import { memoryOf } from '../process-usage.ts'
import type { DrainWorkerArgument } from '../processes/drain-worker.ts'
import { MeasuredProcess } from '../processes/measured-process.ts'
import type { FillCommand, RedisFillerArgument } from '../processes/redis-filler.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { DrainedWorker } from './drained-worker.ts'

export interface BacklogDrainOptions extends Pick<DrainWorkerArgument, 'concurrency' | 'pool'> {
  readonly name: string
  /** The argument of every task. */
  readonly padding: string
  /** Tasks that are queued at the start of a drain, as a multiple of the suite's. */
  readonly portion: number
  /** How often the queue is filled and drained in one run. */
  readonly drains: number
}

/** For the memory of a process that has just started to come to rest. */
const idleMs = 1_000
const memoryEveryMs = 100
const warmUpDrains = 4
const queue = 'celery'
/** What is copied is sent here, since nobody consumes it. */
const templateQueue = 'template'

/** How fast a worker is, and how large it becomes, with more or less waiting in its queue. */
export class BacklogDrain implements Contestant {
  readonly name: string
  readonly #suite: SuiteOptions
  readonly #options: BacklogDrainOptions
  #redis: RedisServer | undefined
  #filler: MeasuredProcess | undefined
  #worker: DrainedWorker | undefined
  #idleRss: number | undefined

  constructor(suite: SuiteOptions, options: BacklogDrainOptions) {
    this.name = options.name
    this.#suite = suite
    this.#options = options
  }

  async prepare(): Promise<void> {
    const { concurrency, pool } = this.#options
    const { cpuProfileFolder, tasks } = this.#suite
    this.#redis = await startRedis()
    const { url } = this.#redis
    this.#filler = await MeasuredProcess.start('redis-filler', { argument: { url } satisfies RedisFillerArgument })
    const place = redisAt(url)
    this.#worker = new DrainedWorker({ place, cpuProfileFolder, concurrency, pool, results: false, profiled: false })
    await this.#worker.start()
    await delay(idleMs)
    this.#idleRss = memoryOf(this.#worker.pid)?.rss
    for (let drain = 0; drain < warmUpDrains; drain++) await this.#drain(tasks)
  }

  async run(): Promise<Readings> {
    const { drains, portion } = this.#options
    const tasks = Math.ceil(this.#suite.tasks * portion)
    let seconds = 0
    let peakRss = 0
    for (let drain = 0; drain < drains; drain++) {
      const drained = await this.#drain(tasks)
      seconds += drained.seconds
      peakRss = Math.max(peakRss, drained.peakRss)
    }
    const memory = this.#idleRss === undefined ? {} : { peakRss, addedRss: peakRss - this.#idleRss }
    return { rate: (tasks * drains) / seconds, ...memory }
  }

  async dispose(): Promise<void> {
    await this.#worker?.close()
    await this.#filler?.stop()
    await this.#redis?.close()
  }

  async #drain(tasks: number): Promise<{ readonly seconds: number; readonly peakRss: number }> {
    const worker = this.#worker as DrainedWorker
    const filler = this.#filler as MeasuredProcess
    await worker.tasks.noop.applyAsync([this.#options.padding], { queue: templateQueue })
    filler.send({ order: 'write', from: templateQueue, tasks } satisfies FillCommand)
    await filler.receive()
    let peakRss = 0
    const watch = (): void => {
      peakRss = Math.max(peakRss, memoryOf(worker.pid)?.rss ?? 0)
    }
    const watching = setInterval(watch, memoryEveryMs)
    try {
      const { seconds } = await worker.drainFilled(tasks, async () => {
        filler.send({ order: 'release', from: templateQueue, into: queue } satisfies FillCommand)
        await filler.receive()
        watch()
      })
      return { seconds, peakRss }
    } finally {
      clearInterval(watching)
    }
  }
}
