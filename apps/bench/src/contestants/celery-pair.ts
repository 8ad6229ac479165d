import { type RedisServer, startPythonCeleryWorker, startRedis } from '@celery/test-servers'
import { redisAt } from '../places.ts'
import { declareTasks } from '../tasks.ts'
import { callOneByOne } from './call-one-by-one.ts'
import { PythonClient, pythonAppPath } from './python-client.ts'
import type { IdlePair } from './round-trips.ts'
import { startCeleryWorker } from './start-celery-worker.ts'

/** The default of both. */
const logLevel = '--loglevel=WARNING'

export interface CeleryPairOptions {
  readonly client: 'ours' | 'python'
  /** Ours can be called by both clients, the original's by its own. */
  readonly worker: 'ours' | 'python'
  /** Of `celery worker`. */
  readonly args: readonly string[]
}

/** A worker and a client of ours or of the original, with queue and results in a Redis of their own. */
export class CeleryPair implements IdlePair {
  readonly #options: CeleryPairOptions
  readonly #open: (() => Promise<void>)[] = []
  #call: ((calls: number) => Promise<readonly number[]>) | undefined

  constructor(options: CeleryPairOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { client, worker } = this.#options
    const redis = await startRedis()
    this.#open.push(() => redis.close())
    await (worker === 'ours' ? this.#startOurs(redis) : this.#startPythons(redis))
    this.#call = client === 'ours' ? this.#ourClient(redis) : this.#pythonsClient(redis)
    // Back when the worker is there.
    await this.call(1)
  }

  async call(calls: number): Promise<readonly number[]> {
    return (await this.#call?.(calls)) ?? []
  }

  /** In the reverse order of their start. */
  async close(): Promise<void> {
    for (const close of this.#open.splice(0).reverse()) await close()
  }

  async #startOurs({ url }: RedisServer): Promise<void> {
    const worker = await startCeleryWorker('tasks', redisAt(url), [...this.#options.args, logLevel])
    this.#open.push(() => worker.stop())
  }

  async #startPythons({ url }: RedisServer): Promise<void> {
    const args = [...this.#options.args, logLevel]
    const worker = await startPythonCeleryWorker({ appPath: pythonAppPath, broker: url, backend: url, args })
    this.#open.push(() => worker.close())
  }

  #ourClient({ url }: RedisServer): (calls: number) => Promise<readonly number[]> {
    const tasks = declareTasks(redisAt(url).options)
    this.#open.push(() => tasks.app.close())
    return (calls) => callOneByOne(tasks, calls)
  }

  #pythonsClient({ url }: RedisServer): (calls: number) => Promise<readonly number[]> {
    const python = new PythonClient(url, url)
    this.#open.push(() => python.close())
    const task = this.#options.worker === 'ours' ? 'bench.echo' : 'bench_tasks.echo'
    return async (calls) => {
      const { durations } = await python.carryOut('call', { task, calls })
      return durations.map((seconds) => seconds * 1_000)
    }
  }
}
