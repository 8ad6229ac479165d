import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { SYSTEM_PYTHON } from '@celery/test-servers'

export const pythonAppPath: string = fileURLToPath(new URL('../../python/bench_tasks.py', import.meta.url))

/** What `bench_tasks.py` carries out, by its name, and what it answers. */
export interface PythonOrders {
  send: {
    readonly order: { readonly argumentBytes: number; readonly tasks: number }
    readonly answer: { readonly seconds: number }
  }
  drain: {
    readonly order: { readonly task: string; readonly argumentBytes: number; readonly tasks: number }
    readonly answer: { readonly sendSeconds: number; readonly seconds: number }
  }
  call: {
    /** `task` by its full name, which may be one of ours. */
    readonly order: { readonly task: string; readonly calls: number }
    readonly answer: { readonly durations: readonly number[] }
  }
}

/** A client of the original, in a process of its own. */
export class PythonClient {
  readonly #process: ChildProcess
  readonly #answers: Interface

  /** @param urls of the broker, and of the result store where there is to be one */
  constructor(...urls: readonly string[]) {
    const client = spawn(SYSTEM_PYTHON, [pythonAppPath, ...urls], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#process = client
    this.#answers = createInterface({ input: client.stdout })
  }

  async carryOut<Name extends keyof PythonOrders>(
    name: Name,
    order: PythonOrders[Name]['order'],
  ): Promise<PythonOrders[Name]['answer']> {
    this.#process.stdin?.write(`${JSON.stringify({ order: name, ...order })}\n`)
    const waiting = new AbortController()
    const { signal } = waiting
    try {
      const line = await Promise.race([
        once(this.#answers, 'line', { signal }).then(([text]) => text as string),
        once(this.#process, 'exit', { signal }).then(([status]) => {
          throw new Error(`the client of Python Celery ended with ${status}`)
        }),
      ])
      return JSON.parse(line) as PythonOrders[Name]['answer']
    } finally {
      waiting.abort()
    }
  }

  async close(): Promise<void> {
    const client = this.#process
    if (client.exitCode === null && client.signalCode === null) {
      const exited = once(client, 'exit')
      client.stdin?.end()
      client.kill()
      await exited
    }
    this.#answers.close()
  }
}
