import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import {
  type PythonWorker,
  type RedisServer,
  SYSTEM_PYTHON,
  startPythonCeleryWorker,
  startRedis,
} from '@celery/test-servers'
import type { Workload } from '../workloads.ts'

const appPath = fileURLToPath(new URL('../../python/bench_tasks.py', import.meta.url))

export interface PythonSpent {
  readonly sendSeconds: number
  readonly seconds: number
}

/** A worker of the original on a Redis of its own, under its default settings, and a client that fills its queue. */
export class DrainedPythonWorker {
  readonly #args: readonly string[]
  #redis: RedisServer | undefined
  #worker: PythonWorker | undefined
  #client: ChildProcess | undefined
  #answers: Interface | undefined

  /** @param args of `celery worker` */
  constructor(args: readonly string[]) {
    this.#args = args
  }

  async start(): Promise<void> {
    this.#redis = await startRedis()
    this.#worker = await startPythonCeleryWorker({
      appPath,
      broker: this.#redis.url,
      // The later one counts: logging every task, as the test server does, is neither the default nor free.
      args: [...this.#args, '--loglevel=WARNING'],
    })
    const client = spawn(SYSTEM_PYTHON, [appPath, this.#redis.url], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#client = client
    this.#answers = createInterface({ input: client.stdout })
  }

  get pid(): number {
    return (this.#worker as PythonWorker).pid
  }

  async drain({ argumentBytes, task }: Pick<Workload, 'argumentBytes' | 'task'>, tasks: number): Promise<PythonSpent> {
    this.#client?.stdin?.write(`${JSON.stringify({ argumentBytes, task, tasks })}\n`)
    const waiting = new AbortController()
    const { signal } = waiting
    try {
      const line = await Promise.race([
        once(this.#answers as Interface, 'line', { signal }).then(([text]) => text as string),
        once(this.#client as ChildProcess, 'exit', { signal }).then(([status]) => {
          throw new Error(`the client of Python Celery ended with ${status}`)
        }),
      ])
      return JSON.parse(line) as PythonSpent
    } finally {
      waiting.abort()
    }
  }

  /** Safe where it never started, or only in part. */
  async close(): Promise<void> {
    const client = this.#client
    if (client !== undefined && client.exitCode === null && client.signalCode === null) {
      const exited = once(client, 'exit')
      client.stdin?.end()
      client.kill()
      await exited
    }
    this.#answers?.close()
    await this.#worker?.close()
    await this.#redis?.close()
  }
}
