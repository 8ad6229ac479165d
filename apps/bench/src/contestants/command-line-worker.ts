import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { memoryOf, poolChildrenOf } from '../process-usage.ts'
import { percentile } from '../statistics.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { declareTasks, embeddedIn } from '../tasks.ts'
import { startCeleryWorker } from './start-celery-worker.ts'

/** For the memory of a process that has just started to come to rest. */
const idleMs = 1_000
const warmUpCalls = 20

/** `celery worker` as a user starts it, a new one in each run: how soon it is there, what it takes, how it answers. */
export class CommandLineWorker implements Contestant {
  readonly name = 'worker'
  readonly #roundTrips: number
  readonly #file: string
  readonly #client: ReturnType<typeof declareTasks>

  constructor({ folder, roundTrips }: SuiteOptions) {
    this.#roundTrips = roundTrips
    this.#file = join(folder, 'worker.db')
    this.#client = declareTasks(embeddedIn(this.#file).options)
  }

  /** The first start fills the file system's cache and makes the queue. */
  async prepare(): Promise<void> {
    await this.run()
  }

  async run(): Promise<Readings> {
    const startedAt = performance.now()
    await using worker = await startCeleryWorker('tasks', this.#file, ['--concurrency=2'])
    await worker.waitForOutput(/ ready\./)
    const readyMs = performance.now() - startedAt
    await delay(idleMs)
    const idle = memoryReadings('idle', worker.pid)
    const durations = await this.#callOneByOne()
    const used = memoryReadings('used', worker.pid)
    return { readyMs, ...idle, ...used, p50: percentile(durations, 50), p99: percentile(durations, 99) }
  }

  async dispose(): Promise<void> {
    await this.#client.app.close()
  }

  /** Milliseconds from the call to its result, each call after the one before. */
  async #callOneByOne(): Promise<number[]> {
    const durations: number[] = []
    for (let index = -warmUpCalls; index < this.#roundTrips; index++) {
      const startedAt = performance.now()
      const value = await (await this.#client.echo.delay(index)).get({ timeout: 30 })
      if (value !== index) throw new Error(`echo of ${index} gave ${value}`)
      if (index >= 0) durations.push(performance.now() - startedAt)
    }
    return durations
  }
}

/** Of the worker and of the largest of its children. Nothing where the platform does not tell. */
function memoryReadings(when: string, pid: number): Readings {
  const parent = memoryOf(pid)
  if (parent === undefined) return {}
  const children = poolChildrenOf(pid).flatMap((child) => memoryOf(child) ?? [])
  return {
    [`${when}WorkerRss`]: parent.rss,
    [`${when}WorkerPss`]: parent.pss,
    [`${when}ChildRss`]: Math.max(...children.map(({ rss }) => rss)),
    [`${when}ChildPss`]: Math.max(...children.map(({ pss }) => pss)),
  }
}
