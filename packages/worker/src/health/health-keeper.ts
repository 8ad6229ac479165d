import { createRequire } from 'node:module'
import { Worker as Thread } from 'node:worker_threads'
import { type Deferred, deferred, growingPause, systemClock, withDeadline } from '@celery/promises'
import { HealthAddressError } from './health-address-error.ts'
import type { HealthSource } from './health-answer.ts'
import type { Listening } from './health-server.ts'
import type { HealthThreadCommand, HealthThreadData, HealthThreadMessage } from './health-thread.ts'
import type { MainThreadQuestion } from './main-thread-source.ts'

/** Built JavaScript, also when this file is run from its source. */
const threadModule = createRequire(import.meta.url).resolve('@celery/worker/health-thread')

/** Milliseconds before a thread that ended is replaced, after so many that did not live for long. */
const replacePauseMs = growingPause({ firstMs: 100, longestMs: 5_000 })

/** Milliseconds that a thread gets to end by itself. */
const stopTimeoutMs = 1_000

export interface HealthKeeperOptions extends HealthThreadData {
  readonly source: HealthSource
  /** The thread died, or the one that replaces it cannot listen; it is replaced. */
  readonly onError: (error: Error) => void
}

/** Answers how the worker is from a thread that no user code can block. */
export class HealthKeeper {
  readonly #options: HealthKeeperOptions
  #thread: Thread | undefined
  #stopped = false
  #hasListened = false
  #failures = 0
  #cancelRestart: (() => void) | undefined

  constructor(options: HealthKeeperOptions) {
    this.#options = options
  }

  /** Resolves to where it listens. @throws what keeps it from listening */
  async start(): Promise<Listening> {
    const { host, memory, place, port } = this.#options
    const listening = deferred<Listening>()
    const thread = new Thread(threadModule, {
      workerData: { memory, place, port, host } satisfies HealthThreadData,
      // User code's loaders and flags have no business here.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
      name: 'celery-health',
    })
    this.#thread = thread
    thread.unref()
    thread.on('message', (message: HealthThreadMessage) => this.#hear(message, listening))
    let cause: unknown
    thread.on('error', (error) => {
      cause = error
    })
    thread.on('exit', (status) => {
      const error = cause instanceof Error ? cause : new Error(`its thread ended with exit status ${status}`)
      listening.reject(error)
      if (this.#thread === thread) this.#replace(error)
    })
    return await listening.promise
  }

  /** Lets the thread know the latest, in case that it cannot ask. Never rejects. */
  async tell(): Promise<void> {
    if (this.#thread === undefined) return
    this.#post({ type: 'answer', report: await this.#options.source.report() })
  }

  /** Resolves when the thread has ended. Safe twice. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelRestart?.()
    const thread = this.#thread
    this.#thread = undefined
    if (thread === undefined) return
    const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
    thread.ref()
    thread.postMessage({ type: 'stop' } satisfies HealthThreadCommand)
    await withDeadline(exited, stopTimeoutMs, () => new Error('late')).catch(() => thread.terminate())
  }

  #hear(message: HealthThreadMessage, listening: Deferred<Listening>): void {
    switch (message.type) {
      case 'ask':
        void this.#answer(message)
        break
      case 'listening':
        this.#hasListened = true
        this.#failures = 0
        listening.resolve(message)
        void this.tell()
        break
      case 'failed':
        this.#failed(new HealthAddressError(message.address, message.why), listening)
    }
  }

  async #answer({ id, what }: MainThreadQuestion): Promise<void> {
    const { source } = this.#options
    if (what === 'report') this.#post({ type: 'answer', id, report: await source.report() })
    else this.#post({ type: 'answer', id, metrics: await source.metrics() })
  }

  /** The thread ends now. What keeps the first one from listening ends the start; later it may pass, as it has come. */
  #failed(error: HealthAddressError, listening: Deferred<Listening>): void {
    this.#thread = undefined
    listening.reject(error)
    if (this.#hasListened) this.#replace(error)
  }

  /** The thread has ended, though nobody told it to. */
  #replace(error: Error): void {
    this.#thread = undefined
    this.#options.onError(error)
    if (this.#stopped) return
    // What goes wrong again comes here again.
    const begin = (): void => void this.start().then(({ problem }) => this.#tellProblem(problem), noop)
    this.#cancelRestart = systemClock.schedule(replacePauseMs(this.#failures++), begin, { unref: true })
  }

  #tellProblem(problem: string | undefined): void {
    if (problem !== undefined) this.#options.onError(new Error(`celery health does not find this worker: ${problem}`))
  }

  #post(command: HealthThreadCommand): void {
    this.#thread?.postMessage(command)
  }
}

function noop(): void {}
