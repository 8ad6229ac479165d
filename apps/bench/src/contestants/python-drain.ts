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
import type { Contestant, Readings, SuiteOptions } from '../suite.ts'

const appPath = fileURLToPath(new URL('../../python/bench_tasks.py', import.meta.url))

/** The original with two processes, on a Redis of its own, under its default settings. */
export class PythonDrain implements Contestant {
  readonly name = 'python'
  readonly #tasks: number
  readonly #padding: string
  #redis: RedisServer | undefined
  #worker: PythonWorker | undefined
  #client: ChildProcess | undefined
  #answers: Interface | undefined

  constructor({ tasks }: SuiteOptions, padding: string) {
    this.#tasks = tasks
    this.#padding = padding
  }

  async prepare(): Promise<void> {
    this.#redis = await startRedis()
    this.#worker = await startPythonCeleryWorker({
      appPath,
      broker: this.#redis.url,
      // The later one counts: logging every task, as the test server does, is neither the default nor free.
      args: ['--concurrency=2', '--loglevel=WARNING'],
    })
    const client = spawn(SYSTEM_PYTHON, [appPath, this.#redis.url, this.#padding], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#client = client
    this.#answers = createInterface({ input: client.stdout })
    await this.run()
  }

  async run(): Promise<Readings> {
    const tasks = this.#tasks
    this.#client?.stdin?.write(`${tasks}\n`)
    const { sendSeconds, seconds } = await this.#answer()
    return { rate: tasks / seconds, sendRate: tasks / sendSeconds }
  }

  async dispose(): Promise<void> {
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

  async #answer(): Promise<{ readonly sendSeconds: number; readonly seconds: number }> {
    const waiting = new AbortController()
    const { signal } = waiting
    try {
      const line = await Promise.race([
        once(this.#answers as Interface, 'line', { signal }).then(([text]) => text as string),
        once(this.#client as ChildProcess, 'exit', { signal }).then(([status]) => {
          throw new Error(`the client of Python Celery ended with ${status}`)
        }),
      ])
      return JSON.parse(line) as { readonly sendSeconds: number; readonly seconds: number }
    } finally {
      waiting.abort()
    }
  }
}
