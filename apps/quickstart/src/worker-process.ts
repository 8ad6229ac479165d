import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** A worker in a process of its own: just what `celery -A tasks.js worker` starts in another terminal. */
export class WorkerProcess implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #ended = new AbortController()

  constructor(appModule: string) {
    const celery = createRequire(import.meta.url).resolve('celery')
    const command = join(dirname(celery), '..', 'bin', 'celery.js')
    // A file that cannot be read is in the client's summary, and needs no line of the worker's log besides.
    const args = [command, '-A', appModule, 'worker', '--quiet', '--loglevel', 'CRITICAL']
    this.#process = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    this.#process.once('error', (error) => this.#ended.abort(error))
    this.#process.once('exit', (status, signal) => {
      const how = signal === null ? `with status ${status}` : `by ${signal}`
      this.#ended.abort(new Error(`the worker ended ${how}`))
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Aborts when the worker has ended. */
  get ended(): AbortSignal {
    return this.#ended.signal
  }

  /** Ends it: warmly on `SIGTERM`, as Ctrl-C in its terminal; at once on `SIGQUIT`. */
  async stop(signal: 'SIGTERM' | 'SIGQUIT'): Promise<void> {
    if (this.ended.aborted) return
    const ended = once(this.ended, 'abort')
    this.#process.kill(signal)
    await ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop('SIGTERM')
  }
}
