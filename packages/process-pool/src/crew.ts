import { type Clock, type Deferred, deferred } from '@celery/promises'
import { ChildStartError, PoolClosedError } from './errors.ts'
import { type ChildExit, type ChildListener, type ChildSpec, PoolChild } from './pool-child.ts'
import { StartBackoff } from './start-backoff.ts'
import { OrphanWatchdog } from './watchdog.ts'

export interface CrewOptions {
  readonly spec: ChildSpec
  /** Whether children could live on when this process is killed. */
  readonly canBeOrphaned: boolean
  readonly size: number
  readonly startTimeoutMs: number
  readonly exitTimeoutMs: number
  readonly clock: Clock
  readonly onError: (error: Error) => void
}

/** Milliseconds. */
const SHORT_LIFE_MS = 10_000

/** Keeps the wanted number of children alive: starts, replaces, shrinks; knows nothing of what they work on. */
export class Crew {
  /** All that have not ended, oldest first. */
  readonly children: Set<PoolChild> = new Set()
  /** Those that take jobs. */
  readonly ready: Set<PoolChild> = new Set()
  readonly #options: CrewOptions
  readonly #listener: ChildListener
  readonly #watchdog = new OrphanWatchdog()
  readonly #backoff = new StartBackoff()
  readonly #startTimers = new Map<PoolChild, () => void>()
  #size: number
  #starting = 0
  #opened: Deferred<void> | undefined
  #allGone: Deferred<void> | undefined
  #stopped = false
  #cancelRetry: (() => void) | undefined

  /** @param listener hears everything about every child, after the crew has dealt with it. */
  constructor(options: CrewOptions, listener: ChildListener) {
    this.#options = options
    this.#size = options.size
    this.#listener = {
      ...bindListener(listener),
      onReady: (child) => {
        this.#onReady(child)
        listener.onReady(child)
      },
      onDone: (child, entry, outcome) => {
        if (child.completed === 1) this.#backoff.succeeded()
        listener.onDone(child, entry, outcome)
      },
      onLeaving: (child) => {
        this.#onLeaving(child)
        listener.onLeaving(child)
      },
      onGone: (child, exit, unstarted) => {
        this.#onGone(child, exit)
        listener.onGone(child, exit, unstarted)
      },
    }
  }

  get size(): number {
    return this.#size
  }

  get healthy(): boolean {
    return !this.#stopped && this.#backoff.healthy(this.#options.clock.monotonic())
  }

  /** Resolves when all children are ready. @throws ChildStartError for the first that fails; the others are killed. */
  open(): Promise<void> {
    this.#opened = deferred<void>()
    if (this.#options.canBeOrphaned) this.#watchdog.start()
    this.#backoff.ready(0, this.#options.clock.monotonic())
    this.#fill()
    this.#settleOpen()
    return this.#opened.promise
  }

  /** Changes how many children are wanted. Children too many finish what they have and leave, idle ones first. */
  resize(size: number): void {
    this.#size = size
    this.#fill()
    const tooMany = this.#staffed() - size
    if (tooMany <= 0) return
    const candidates = [...this.children].filter(({ state }) => state === 'ready' || state === 'starting')
    candidates.sort((a, b) => a.jobs.length - b.jobs.length)
    for (const child of candidates.slice(0, tooMany)) this.dismiss(child)
  }

  /** Lets a child go: at once if it has no job, else {@link dismiss} must be called again when it has none. */
  dismiss(child: PoolChild): void {
    child.retire()
    if (child.jobs.length === 0) child.close(this.#options.exitTimeoutMs)
  }

  /** Starts no more children and lets all go. Resolves when they have ended. */
  async close(): Promise<void> {
    this.#stop()
    for (const child of this.children) this.dismiss(child)
    await this.#gone()
  }

  /** Kills all children. Resolves when they have ended. */
  async terminate(): Promise<void> {
    this.#stop()
    for (const child of this.children) child.kill('killed')
    await this.#gone()
  }

  #stop(): void {
    this.#stopped = true
    this.#cancelRetry?.()
    this.#opened?.reject(new PoolClosedError())
    this.#opened = undefined
  }

  async #gone(): Promise<void> {
    if (this.children.size > 0) {
      this.#allGone ??= deferred<void>()
      await this.#allGone.promise
    }
    this.#watchdog.close()
  }

  /** Children that take jobs or will. */
  #staffed(): number {
    return this.ready.size + this.#starting
  }

  #fill(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    while (!this.#stopped && this.#staffed() < this.#size) {
      const delayMs = this.#backoff.delayMs(this.#options.clock.monotonic(), this.#starting)
      if (delayMs === 0) this.#startChild()
      else {
        if (delayMs !== Number.POSITIVE_INFINITY)
          this.#cancelRetry = this.#options.clock.schedule(delayMs, () => this.#fill())
        return
      }
    }
  }

  #startChild(): void {
    const { spec, clock, startTimeoutMs } = this.#options
    let child: PoolChild
    try {
      child = new PoolChild(spec, this.#freeIndex(), clock, this.#listener)
    } catch (error) {
      // The operating system refuses, for want of memory for example.
      this.#backoff.failed(clock.monotonic())
      this.#startFailed(new ChildStartError(spec.module, (error as Error).message))
      return
    }
    this.children.add(child)
    this.#starting += 1
    this.#startTimers.set(
      child,
      clock.schedule(startTimeoutMs, () => child.kill('start-failed')),
    )
    this.#tellWatchdog()
  }

  /** The lowest place that nobody has who takes jobs, or will. */
  #freeIndex(): number {
    const taken = new Set<number>()
    for (const { index, state } of this.children) if (state === 'starting' || state === 'ready') taken.add(index)
    for (let index = 1; ; index++) if (!taken.has(index)) return index
  }

  #tellWatchdog(): void {
    if (!this.#options.canBeOrphaned) return
    this.#watchdog.watch([...this.children].flatMap(({ pid }) => (pid === 0 ? [] : [pid])))
  }

  #endStart(child: PoolChild): void {
    if (!this.#startTimers.has(child)) return
    this.#startTimers.get(child)?.()
    this.#startTimers.delete(child)
    this.#starting -= 1
  }

  #onReady(child: PoolChild): void {
    this.#endStart(child)
    this.ready.add(child)
    this.#backoff.ready(this.ready.size, this.#options.clock.monotonic())
    this.#fill()
    this.#settleOpen()
  }

  #settleOpen(): void {
    if (this.ready.size < this.#size) return
    this.#opened?.resolve()
    this.#opened = undefined
  }

  #onLeaving(child: PoolChild): void {
    const now = this.#options.clock.monotonic()
    if (this.ready.delete(child)) this.#backoff.ready(this.ready.size, now)
    // A child that dies soon and without a job is as good as one that does not start.
    const shortLived = child.assigned === 0 && (child.readyAt === 0 || now - child.readyAt < SHORT_LIFE_MS)
    this.#endStart(child)
    if (child.failed && shortLived) this.#backoff.failed(now)
    this.#fill()
  }

  #onGone(child: PoolChild, exit: ChildExit): void {
    this.children.delete(child)
    this.#tellWatchdog()
    if (exit.reason === 'start-failed') {
      this.#startFailed(new ChildStartError(this.#options.spec.module, this.#whyNotStarted(exit), exit.error))
    }
    if (this.children.size === 0) this.#allGone?.resolve()
  }

  #startFailed(error: ChildStartError): void {
    if (this.#opened !== undefined) {
      const opened = this.#opened
      this.#opened = undefined
      void this.terminate().then(() => opened.reject(error))
    } else if (!this.#stopped) this.#options.onError(error)
  }

  #whyNotStarted(exit: ChildExit): string {
    if (exit.error !== undefined) return `${exit.error.name}: ${exit.error.message}`
    if (exit.signal === 'SIGKILL')
      return `killed, perhaps because it took longer than ${this.#options.startTimeoutMs} ms`
    if (exit.signal !== null) return `ended by ${exit.signal}`
    return `exit status ${exit.exitCode} before it was ready; the module must call serveJobs()`
  }
}

function bindListener(listener: ChildListener): ChildListener {
  return {
    onReady: (child) => listener.onReady(child),
    onStarted: (child, entry) => listener.onStarted(child, entry),
    onDone: (child, entry, outcome) => listener.onDone(child, entry, outcome),
    onReturned: (child, entries) => listener.onReturned(child, entries),
    onReadEnd: (child) => listener.onReadEnd(child),
    onLeaving: (child) => listener.onLeaving(child),
    onGone: (child, exit, unstarted) => listener.onGone(child, exit, unstarted),
    onError: (error) => listener.onError(error),
  }
}
