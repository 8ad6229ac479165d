import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** A worker in a process of its own: just what `celery -A tasks.js worker` starts in another terminal. */
export class WorkerProcess implements AsyncDisposable {
  readonly #process: ChildProcess

  constructor(appModule: string) {
    const celery = createRequire(import.meta.url).resolve('celery')
    const command = join(dirname(celery), '..', 'bin', 'celery.js')
    this.#process = spawn(process.execPath, [command, '-A', appModule, 'worker', '--quiet'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Rejects if the worker ends by itself. */
  async failed(): Promise<never> {
    const [status] = (await once(this.#process, 'exit')) as [number | null]
    throw new Error(`the worker ended with status ${status}`)
  }

  /** Warm shutdown, as Ctrl-C in its terminal. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGTERM')
    await once(this.#process, 'exit')
  }
}
