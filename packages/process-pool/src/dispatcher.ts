import type { Clock } from '@celery/promises'
import { Alarm } from './alarm.ts'
import type { Crew } from './crew.ts'
import { JobEntry } from './job-entry.ts'
import { JobQueue } from './job-queue.ts'
import type { ChildExit, ChildListener, PoolChild } from './pool-child.ts'
import type { JobOutcome, PoolJob } from './pool-job.ts'
import type { ProcessPoolEvents } from './pool-options.ts'
import { RunTimes } from './run-times.ts'

export interface DispatcherOptions {
  readonly maxPipelined: number
  readonly maxJobsPerChild: number
  readonly clock: Clock
  readonly events: ProcessPoolEvents
  readonly unresponsiveMs: number
  readonly onError: (error: Error) => void
  /** An error thrown by the owner's code. */
  readonly onCallbackError: (error: Error) => void
}

/** Milliseconds of work that a child may hold. More would not make it faster, only wait at the wrong place. */
const AHEAD_MS = 5
/** Bytes of unstarted jobs that a child may hold. Beyond that the pipe is busy enough. */
const AHEAD_BYTES = 256 * 1024
/** Milliseconds after which jobs sent behind a running one are called back. */
const STUCK_MS = 20

/**
 * Gives jobs to children, and takes them back.
 *
 * The rule that everything here obeys: a job belongs to the queue or to one child, and goes back to the queue only when
 * that child has said that it did not start it, or has ended without having said that it started it.
 */
export class Dispatcher implements ChildListener {
  readonly #options: DispatcherOptions
  readonly #queue = new JobQueue()
  readonly #runTimes = new RunTimes()
  readonly #alarm: Alarm
  #crew!: Crew
  #dirty: PoolChild[] = []
  #closing = false
  #onDrained: (() => void) | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#alarm = new Alarm(options.clock, () => this.#checkLimits())
  }

  /** The crew reports to this dispatcher, so it is made after it. */
  employ(crew: Crew): void {
    this.#crew = crew
  }

  get queued(): number {
    return this.#queue.length
  }

  submit(job: PoolJob): void {
    const entry = new JobEntry(job, this.#runTimes.of(job.kind))
    const child = this.#queue.length === 0 ? this.#pick() : undefined
    if (child === undefined) this.#queue.push(entry)
    else this.#send(child, entry)
  }

  /** Gives unstarted jobs back to their owner. Resolves to how many, when all children concerned have answered. */
  async recall(wanted: (job: PoolJob) => boolean): Promise<number> {
    const queued = this.#queue.take((entry) => wanted(entry.job))
    const asked: JobEntry[] = []
    const answers: Promise<void>[] = []
    for (const child of this.#crew.children) {
      const unstarted = child.jobs.filter((entry) => !entry.started && wanted(entry.job))
      if (unstarted.length === 0) continue
      for (const entry of unstarted) entry.recalled = true
      asked.push(...unstarted)
      answers.push(child.cancel(unstarted))
    }
    for (const entry of queued) this.#finish(entry, { type: 'recalled' })
    await Promise.all(answers)
    return queued.length + asked.filter((entry) => !entry.started).length
  }

  /** Ends one job, whatever it takes. Returns false if it is not here (any more). */
  kill(job: PoolJob): boolean {
    const [queued] = this.#queue.take((entry) => entry.job === job)
    if (queued !== undefined) {
      queueMicrotask(() => this.#finish(queued, { type: 'recalled' }))
      return true
    }
    for (const child of this.#crew.children) {
      const entry = child.jobs.find((held) => held.job === job)
      if (entry === undefined) continue
      if (entry.started) child.kill('killed', { type: 'killed', pid: child.pid })
      else {
        entry.recalled = entry.doomed = true
        void child.cancel([entry])
      }
      return true
    }
    return false
  }

  /** From now on no job goes to a child; what comes back unstarted goes to its owner. */
  stop(): void {
    this.#closing = true
  }

  /** Resolves when no child has a job. */
  async drained(): Promise<void> {
    while ([...this.#crew.children].some((child) => child.jobs.length > 0)) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve
      })
    }
    this.#alarm.clear()
  }

  /** Sends what a leaving child has not started to the others. */
  relieve(child: PoolChild): void {
    const unstarted = child.jobs.filter((entry) => !entry.started && !entry.cancelling)
    if (unstarted.length > 0) void child.cancel(unstarted)
  }

  onReady(child: PoolChild): void {
    this.#notify(() => this.#options.events.onChildReady?.({ pid: child.pid }))
    this.#refill(child)
  }

  onStarted(child: PoolChild, entry: JobEntry): void {
    const { job } = entry
    const now = this.#options.clock.monotonic()
    child.startedAt = now
    child.softAt = now + (job.softTimeoutMs ?? Number.POSITIVE_INFINITY)
    child.hardAt = now + (job.timeoutMs ?? Number.POSITIVE_INFINITY)
    this.#alarm.set(Math.min(child.softAt, child.hardAt, now + STUCK_MS), now)
    entry.recalled = false
    if (entry.doomed) child.kill('killed', { type: 'killed', pid: child.pid })
    try {
      job.onStarted?.(child.pid)
    } catch (error) {
      this.#report(error)
    }
  }

  onDone(child: PoolChild, entry: JobEntry, outcome: JobOutcome): void {
    if (child.jobs.length > 0) child.waitingSince = this.#options.clock.monotonic()
    else {
      if (child.state === 'leaving' || child.assigned >= this.#options.maxJobsPerChild) this.#crew.dismiss(child)
      if (this.#closing) this.#onDrained?.()
    }
    this.#finish(entry, outcome)
  }

  onReturned(child: PoolChild, entries: readonly JobEntry[]): void {
    const homeless: JobEntry[] = []
    for (const entry of entries) {
      if (entry.recalled || this.#closing) this.#finish(entry, { type: 'recalled' })
      else homeless.push(entry)
    }
    if (homeless.length > 0) this.#queue.putBack(homeless)
    if (child.state === 'leaving' && child.jobs.length === 0) this.#crew.dismiss(child)
    for (const other of this.#crew.ready) if (other !== child) this.#refill(other)
    if (this.#closing) this.#onDrained?.()
  }

  onReadEnd(child: PoolChild): void {
    this.#refill(child)
    if (this.#dirty.length > 0) this.#flush()
  }

  onLeaving(child: PoolChild): void {
    if (child.failed) return
    if (child.jobs.length === 0) this.#crew.dismiss(child)
    else this.relieve(child)
  }

  onGone(child: PoolChild, exit: ChildExit, unstarted: readonly JobEntry[]): void {
    this.#notify(() => this.#options.events.onChildExit?.(exit))
    this.onReturned(child, unstarted)
  }

  onError(error: Error): void {
    this.#options.onError(error)
  }

  /** An idle child, else the one with the least work ahead if that is little. */
  #pick(): PoolChild | undefined {
    let best: PoolChild | undefined
    for (const child of this.#crew.ready) {
      if (!this.#accepts(child)) continue
      if (child.jobs.length === 0) return child
      if (best === undefined || child.loadMs < best.loadMs) best = child
    }
    return best
  }

  #accepts(child: PoolChild): boolean {
    if (this.#closing || child.state !== 'ready' || child.assigned >= this.#options.maxJobsPerChild) return false
    const held = child.jobs.length
    if (held === 0) return true
    return (
      !child.stuck &&
      held < this.#options.maxPipelined &&
      child.loadMs <= AHEAD_MS &&
      child.unstartedBytes < AHEAD_BYTES
    )
  }

  /** Waits until a child is half empty, then fills it in one go: fewer, larger writes. */
  #refill(child: PoolChild): void {
    if (this.#queue.length === 0) return
    if (child.jobs.length > this.#options.maxPipelined / 2 || child.loadMs > AHEAD_MS / 2) return
    while (this.#accepts(child)) {
      const entry = this.#queue.shift()
      if (entry === undefined) return
      this.#send(child, entry)
    }
  }

  #send(child: PoolChild, entry: JobEntry): void {
    if (child.jobs.length === 0) {
      const now = this.#options.clock.monotonic()
      child.waitingSince = now
      this.#alarm.set(now + this.#options.unresponsiveMs, now)
    }
    child.send(entry)
    if (child.dirty) return
    child.dirty = true
    this.#dirty.push(child)
    if (this.#dirty.length === 1) process.nextTick(() => this.#flush())
  }

  #flush(): void {
    for (const child of this.#dirty.splice(0)) child.flush()
  }

  #checkLimits(): void {
    const now = this.#options.clock.monotonic()
    let next = Number.POSITIVE_INFINITY
    for (const child of this.#crew.children) {
      const running = child.running
      if (running === undefined) {
        if (child.jobs.length > 0) next = Math.min(next, this.#checkResponse(child, now))
        continue
      }
      if (now >= child.hardAt) {
        child.hardAt = Number.POSITIVE_INFINITY
        child.kill('timeout', { type: 'timeout', pid: child.pid, limitMs: running.job.timeoutMs as number })
        continue
      }
      if (now >= child.softAt) {
        child.softAt = Number.POSITIVE_INFINITY
        child.softLimit(running.job.softTimeoutMs as number)
        this.#notify(() => running.job.onSoftTimeout?.())
      }
      if (!child.stuck && now >= child.startedAt + STUCK_MS) {
        child.stuck = true
        this.relieve(child)
      }
      next = Math.min(next, child.softAt, child.hardAt, child.stuck ? next : child.startedAt + STUCK_MS)
    }
    if (next !== Number.POSITIVE_INFINITY) this.#alarm.set(next, now)
  }

  /** A child that does not start its next job is blocked by something that an earlier job left behind. */
  #checkResponse(child: PoolChild, now: number): number {
    const due = child.waitingSince + this.#options.unresponsiveMs
    if (now < due) return due
    child.waitingSince = now
    child.kill('unresponsive')
    return Number.POSITIVE_INFINITY
  }

  #finish(entry: JobEntry, outcome: JobOutcome): void {
    try {
      entry.job.onDone(outcome)
    } catch (error) {
      this.#report(error)
    }
  }

  #notify(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#report(error)
    }
  }

  #report(error: unknown): void {
    this.#options.onCallbackError(error instanceof Error ? error : new Error(String(error)))
  }
}
