import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { embeddedIn, type Place } from '../places.ts'
import { memoryOf, poolChildrenOf } from '../process-usage.ts'
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'
import { declareTasks } from '../tasks.ts'
import { callOneByOne, roundTripReadings } from './call-one-by-one.ts'
import { startCeleryWorker } from './start-celery-worker.ts'

/** For the memory of a process that has just started to come to rest. */
const idleMs = 1_000

/** `celery worker` as a user starts it, a new one in each run: how soon it is there, what it takes, how it answers. */
export class CommandLineWorker implements Contestant {
  readonly name = 'worker'
  readonly #roundTrips: number
  readonly #place: Place
  readonly #client: ReturnType<typeof declareTasks>

  constructor({ folder, roundTrips }: SuiteOptions) {
    this.#roundTrips = roundTrips
    this.#place = embeddedIn(join(folder, 'worker.db'))
    this.#client = declareTasks(this.#place.options)
  }

  /** The first start fills the file system's cache and makes the queue. */
  async prepare(): Promise<void> {
    await this.run()
  }

  async run(): Promise<Readings> {
    const startedAt = performance.now()
    await using worker = await startCeleryWorker('tasks', this.#place, ['--concurrency=2', '--loglevel=INFO'])
    await worker.waitForOutput(/ ready\./)
    const readyMs = performance.now() - startedAt
    await delay(idleMs)
    const idle = memoryReadings('idle', worker.pid)
    const durations = await callOneByOne(this.#client, this.#roundTrips)
    const used = memoryReadings('used', worker.pid)
    return { readyMs, ...idle, ...used, ...roundTripReadings(durations) }
  }

  async dispose(): Promise<void> {
    await this.#client.app.close()
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
