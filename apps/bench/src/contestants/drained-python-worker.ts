import { type PythonWorker, type RedisServer, startPythonCeleryWorker, startRedis } from '@celery/test-servers'
import { PythonClient, type PythonOrders, pythonAppPath } from './python-client.ts'

export interface DrainedPythonWorkerOptions {
  /** Of `celery worker`. */
  readonly args: readonly string[]
  /** Whether there is a result store, in the same Redis. @defaultValue `false` */
  readonly results?: boolean
}

/** A worker of the original on a Redis of its own, under its default settings, and a client that fills its queue. */
export class DrainedPythonWorker {
  readonly #options: DrainedPythonWorkerOptions
  #redis: RedisServer | undefined
  #worker: PythonWorker | undefined
  #client: PythonClient | undefined

  constructor(options: DrainedPythonWorkerOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { args, results } = this.#options
    this.#redis = await startRedis()
    const { url } = this.#redis
    this.#worker = await startPythonCeleryWorker({
      appPath: pythonAppPath,
      broker: url,
      ...(results ? { backend: url } : {}),
      // The later one counts: logging every task, as the test server does, is neither the default nor free.
      args: [...args, '--loglevel=WARNING'],
    })
    this.#client = results ? new PythonClient(url, url) : new PythonClient(url)
  }

  get pid(): number {
    return (this.#worker as PythonWorker).pid
  }

  get client(): PythonClient {
    return this.#client as PythonClient
  }

  drain(order: PythonOrders['drain']['order']): Promise<PythonOrders['drain']['answer']> {
    return this.client.carryOut('drain', order)
  }

  /** Safe where it never started, or only in part. */
  async close(): Promise<void> {
    await this.#client?.close()
    await this.#worker?.close()
    await this.#redis?.close()
  }
}
