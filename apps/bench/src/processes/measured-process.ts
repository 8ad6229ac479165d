import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { Readable, Writable } from 'node:stream'

export interface MeasuredProcessOptions {
  /** Handed to the process as its only argument, through JSON. */
  readonly argument: unknown
  /** Added to the environment. */
  readonly environment?: Readonly<Record<string, string>>
  readonly cpuProfileFolder?: string | undefined
}

/** A process in which something is measured, so that it shares no heap and no event loop with who drives it. */
export class MeasuredProcess {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Starts the built module `@celery-apps/bench/<entry>`; resolves when it says that it is ready. */
  static async start(entry: string, options: MeasuredProcessOptions): Promise<MeasuredProcess> {
    const { argument, cpuProfileFolder, environment } = options
    const module = createRequire(import.meta.url).resolve(`@celery-apps/bench/${entry}`)
    const child = fork(module, [JSON.stringify(argument)], {
      env: { ...process.env, ...environment },
      execArgv: cpuProfileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${cpuProfileFolder}`],
      stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    })
    const started = new MeasuredProcess(child)
    await started.receive()
    return started
  }

  get pid(): number {
    return this.#child.pid as number
  }

  send(message: unknown): void {
    this.#child.send(message as object)
  }

  /** The next message. Rejects if the process ends first. */
  async receive<Message>(): Promise<Message> {
    const waiting = new AbortController()
    const { signal } = waiting
    try {
      return await Promise.race([
        once(this.#child, 'message', { signal }).then(([message]) => message as Message),
        once(this.#child, 'exit', { signal }).then(([status, killedBy]) => {
          throw new Error(`a measured process ended with ${status ?? killedBy}`)
        }),
      ])
    } finally {
      waiting.abort()
    }
  }

  /** Lets it go on where it waits in `waitForStart`. */
  release(): void {
    ;(this.#child.stdin as Writable & Readable).write('\n')
  }

  /** Ends it; it tidies up and writes its profile first. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    await exited
  }
}
