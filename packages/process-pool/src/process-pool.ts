import { fileURLToPath, pathToFileURL } from 'node:url'
import { systemClock } from '@celery/promises'
import type { ConnectChild } from './child-link.ts'
import { Crew } from './crew.ts'
import { Dispatcher } from './dispatcher.ts'
import { PoolClosedError } from './errors.ts'
import type { PoolJob } from './pool-job.ts'
import { type ChildInfo, inheritedExecArgv, type ProcessPoolOptions } from './pool-options.ts'
import { type ProcessSpec, processLinks } from './process-link.ts'

/** Runs jobs in child processes, each of which can crash, block or leak without harm to the others or to this one. */
export class ProcessPool implements AsyncDisposable {
  readonly #crew: Crew
  readonly #dispatcher: Dispatcher
  #closed: Promise<void> | undefined
  #terminated: Promise<void> | undefined
  #started: Promise<void> | undefined

  /** @param connect @internal how children are started */
  constructor(options: ProcessPoolOptions, connect?: ConnectChild) {
    const clock = options.clock ?? systemClock
    const events = options.events ?? {}
    const onError = (error: Error): void => {
      if (events.onError === undefined) process.emitWarning(error)
      else events.onError(error)
    }
    this.#dispatcher = new Dispatcher({
      maxPipelined: options.maxPipelined ?? 32,
      maxJobsPerChild: options.maxJobsPerChild ?? Number.POSITIVE_INFINITY,
      unresponsiveMs: options.unresponsiveMs ?? 30_000,
      clock,
      events,
      onError,
      onCallbackError: events.onError === undefined ? throwLater : onError,
    })
    const crew = {
      spec: {
        module: moduleUrl(options.module),
        init: {
          init: options.init,
          ...(options.maxMemoryPerChildBytes === undefined ? {} : { maxMemoryBytes: options.maxMemoryPerChildBytes }),
        },
        connect: connect ?? processLinks(processSpec(options)),
      },
      canBeOrphaned: connect === undefined,
      size: options.size,
      startTimeoutMs: options.startTimeoutMs ?? 30_000,
      exitTimeoutMs: options.exitTimeoutMs ?? 5_000,
      clock,
      onError,
    }
    this.#crew = new Crew(crew, this.#dispatcher)
    this.#dispatcher.employ(this.#crew)
  }

  /**
   * Starts the children. Resolves when all are ready; jobs may be submitted before.
   *
   * @throws ChildStartError with the child's own words as soon as one cannot start; the pool is then closed.
   */
  start(): Promise<void> {
    if (this.#isClosing) return Promise.reject(new PoolClosedError())
    this.#started ??= this.#crew.open().catch(async (error: unknown) => {
      await this.terminate()
      throw error
    })
    return this.#started
  }

  /** Children wanted. */
  get size(): number {
    return this.#crew.size
  }

  get children(): readonly ChildInfo[] {
    return Array.from(this.#crew.children, ({ index, pid, state, jobs, completed }) => ({
      index,
      pid,
      state,
      jobs: jobs.length,
      completed,
    }))
  }

  /** Children that are ready and have nothing to do. */
  get idle(): number {
    let idle = 0
    for (const child of this.#crew.ready) if (child.jobs.length === 0) idle += 1
    return idle
  }

  /** Jobs that no child has got yet. */
  get queued(): number {
    return this.#dispatcher.queued
  }

  /** False when there has been no ready child for 10 seconds, and after the pool was closed. */
  get healthy(): boolean {
    return this.#crew.healthy
  }

  /**
   * Hands a job to a child as soon as one is free.
   *
   * @throws PoolClosedError
   * @throws MessageTooLargeError if it is over 256 MiB
   * @throws TypeError if its header is not JSON, or its body neither text nor bytes
   */
  submit(job: PoolJob): void {
    if (this.#isClosing) throw new PoolClosedError()
    this.#dispatcher.submit(job)
  }

  /**
   * Gives jobs that have not started back: each gets the outcome `recalled`. Resolves to how many. Waits for children
   * that block their event loop, since only they know whether they start the job they were sent ahead.
   */
  recall(filter: (job: PoolJob) => boolean = () => true): Promise<number> {
    return this.#dispatcher.recall(filter)
  }

  /**
   * Ends one job now: a running one by killing its child (outcome `killed`), a waiting one by recalling it. Returns
   * false if the pool does not have it, for example because it is done.
   */
  kill(job: PoolJob): boolean {
    return this.#dispatcher.kill(job)
  }

  /** Adds children. */
  grow(children: number): void {
    this.#crew.resize(this.#crew.size + children)
  }

  /** Takes children away, idle ones first; busy ones finish their job. */
  shrink(children: number): void {
    this.#crew.resize(Math.max(0, this.#crew.size - children))
  }

  /**
   * Warm end: running jobs finish, all others are recalled, then the children go. Safe twice and before `start`.
   *
   * @param options.graceMs after which {@link terminate} follows. Default: never.
   */
  close(options: { readonly graceMs?: number } = {}): Promise<void> {
    if (options.graceMs !== undefined && this.#terminated === undefined) {
      const timer = setTimeout(() => void this.terminate(), options.graceMs)
      void this.#close().then(() => clearTimeout(timer))
    }
    return this.#close()
  }

  /** Cold end: kills all children. Running jobs are `lost`, all others recalled. Resolves when the children are gone. */
  terminate(): Promise<void> {
    this.#terminated ??= this.#terminate()
    return this.#terminated
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #isClosing(): boolean {
    return this.#closed !== undefined || this.#terminated !== undefined
  }

  #close(): Promise<void> {
    this.#closed ??= this.#finishAndClose()
    return this.#closed
  }

  async #finishAndClose(): Promise<void> {
    this.#dispatcher.stop()
    await this.#dispatcher.recall(() => true)
    await this.#dispatcher.drained()
    await this.#crew.close()
  }

  async #terminate(): Promise<void> {
    this.#dispatcher.stop()
    const recalled = this.#dispatcher.recall(() => true)
    await this.#crew.terminate()
    await recalled
  }
}

function processSpec({ cwd, env, execArgv, label, stderr, stdout }: ProcessPoolOptions): ProcessSpec {
  return {
    env: env ?? process.env,
    execArgv: execArgv ?? inheritedExecArgv(),
    cwd,
    stdout: stdout ?? 'inherit',
    stderr: stderr ?? 'inherit',
    label,
  }
}

function moduleUrl(module: string | URL): string {
  if (typeof module !== 'string') return module.href
  return module.startsWith('file:') ? pathToFileURL(fileURLToPath(module)).href : pathToFileURL(module).href
}

/** Without a listener a mistake in the owner's code must not vanish. */
function throwLater(error: Error): void {
  process.nextTick(() => {
    throw error
  })
}
