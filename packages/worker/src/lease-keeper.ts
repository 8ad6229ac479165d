import { createRequire } from 'node:module'
import { Worker as Thread } from 'node:worker_threads'
import { type Clock, deferred, growingPause, systemClock, withDeadline } from '@celery/promises'
import type { DeliveryRef, LeaseKeeperSpec } from '@celery/transport'
import type { LeaseKeeperCommand, LeaseKeeperReport, LeaseKeeperThreadData } from './lease-keeper-thread.ts'
import { LeaseLimits } from './lease-limits.ts'

/** Built JavaScript, also when this file is run from its source. */
const threadModule = createRequire(import.meta.url).resolve('@celery/worker/lease-keeper-thread')

/** Milliseconds before a thread that ended is replaced, after so many that did not live for long. */
const replacePauseMs = growingPause({ firstMs: 100, longestMs: 5_000 })

/** Milliseconds that a thread gets to end. It ends itself after 1 s, unless it is amid a call that does not return. */
const stopTimeoutMs = 1_500

/** Milliseconds for which the end of the process waits for a thread that could not be stopped. */
const exitTimeoutMs = 10_000

export interface LeaseKeeperOptions {
  /** From the broker connection whose deliveries are to be kept. */
  readonly spec: LeaseKeeperSpec
  /** A renewal failed, or the thread died; it is replaced. */
  readonly onError: (error: Error) => void
  /** Those that are set already, and where new ones are kept. @defaultValue none */
  readonly limits?: LeaseLimits | undefined
  /** Whose time passes before a thread that ended is replaced. @defaultValue `systemClock` */
  readonly clock?: Clock | undefined
}

/**
 * Keeps the leases of one broker connection from a thread that no user code can block. A delivery with a limit is
 * renewed until then and no longer: whatever holds the main thread, its message goes to another worker.
 */
export class LeaseKeeper implements AsyncDisposable {
  readonly #options: LeaseKeeperOptions
  /** A thread that takes the place of another one must know them too. */
  readonly #limits: LeaseLimits
  #thread: Thread | undefined
  /** Of the thread, see there. */
  #ended = new Int32Array(new SharedArrayBuffer(4))
  #stopping: Promise<void> | undefined
  /** Threads in a row that did not live for long. */
  #failures = 0
  #cancelRestart: (() => void) | undefined

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
    this.#limits = options.limits ?? new LeaseLimits()
  }

  /** What it was made for. */
  get spec(): LeaseKeeperSpec {
    return this.#options.spec
  }

  /** Resolves when leases are kept; rejects where the first thread ends before that, and goes on trying until `stop`. */
  async start(): Promise<void> {
    const ready = deferred()
    const { module, data } = this.#options.spec
    const ended = new Int32Array(new SharedArrayBuffer(4))
    this.#ended = ended
    const thread = new Thread(threadModule, {
      workerData: { module: module.href, data, ended } satisfies LeaseKeeperThreadData,
      // User code's loaders and flags have no business here.
      execArgv: [],
      // What it makes is small and soon forgotten; what loading its modules took would never be given back.
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
      name: 'celery-lease-keeper',
    })
    this.#thread = thread
    thread.unref()
    thread.on('message', (report: LeaseKeeperReport) => {
      if (report.type !== 'ready') {
        this.#report(report)
        return
      }
      this.#failures = 0
      this.#repeatLimits()
      ready.resolve()
    })
    let cause: unknown
    thread.on('error', (error) => {
      cause = error
    })
    thread.on('exit', (status) => {
      const error = cause instanceof Error ? cause : new Error(`the lease keeper ended with exit status ${status}`)
      ready.reject(error)
      if (this.#thread === thread) this.#replace(error)
    })
    await ready.promise
  }

  /** Renews `delivery` for `expiresInMs` more and then gives it up. */
  limit(delivery: DeliveryRef, expiresInMs: number): void {
    this.#limits.set(delivery, expiresInMs)
    this.#post({ type: 'limit', delivery, expiresInMs })
  }

  /** Takes the limit away: the delivery was settled. */
  unlimit(delivery: DeliveryRef): void {
    this.#limits.delete(delivery)
    this.#post({ type: 'unlimit', delivery })
  }

  hold(deliveries: readonly DeliveryRef[]): void {
    this.#post({ type: 'hold', deliveries })
  }

  release(deliveries: readonly DeliveryRef[]): void {
    this.#post({ type: 'release', deliveries })
  }

  /**
   * Stops renewing; what is still held comes back to the queue by its lease. Resolves when the thread has ended, or after
   * 1.5 s: one amid a call that takes longer ends when that returns, and the process waits for it when it exits, 10 s at
   * most. Safe twice.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#end()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #end(): Promise<void> {
    this.#cancelRestart?.()
    const thread = this.#thread
    this.#thread = undefined
    if (thread === undefined) return
    const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
    thread.postMessage({ type: 'stop' } satisfies LeaseKeeperCommand)
    thread.ref()
    const tooLate = new Error('its thread is amid a call that does not return, and ends only after that')
    try {
      await withDeadline(exited, stopTimeoutMs, () => tooLate)
    } catch {
      this.#say(tooLate.message)
      thread.unref()
      waitAtExit(thread, this.#ended)
    }
  }

  /** Its thread has ended, though nobody told it to. */
  #replace(error: Error): void {
    this.#thread = undefined
    this.#say(error.message)
    if (this.#stopping !== undefined) return
    // What goes wrong again comes here again.
    const begin = (): void => void this.start().catch(() => {})
    const { clock = systemClock } = this.#options
    this.#cancelRestart = clock.schedule(replacePauseMs(this.#failures++), begin, { unref: true })
  }

  #repeatLimits(): void {
    for (const limit of this.#limits.left()) this.#post({ type: 'limit', ...limit })
  }

  #report(report: Exclude<LeaseKeeperReport, { readonly type: 'ready' }>): void {
    if (report.type === 'error') {
      this.#say(report.message)
      return
    }
    // The next keeper must hear of it too: the delivery may be one of those that this one had no part in.
    if (this.#stopping === undefined) this.#limits.delete(report.delivery)
    this.#say(`message ${report.delivery.tag} outlived its limit and was given up`)
  }

  #say(message: string): void {
    this.#options.onError(new Error(`lease keeper: ${message}`))
  }

  #post(command: LeaseKeeperCommand): void {
    this.#thread?.postMessage(command)
  }
}

/**
 * Neither `terminate()` nor the exit of the process interrupts a call into libsql, one that waits for the disk for
 * example: they wait until it returns, and then it aborts the whole process (status 134). Waiting for the thread to end by
 * itself takes no longer.
 */
function waitAtExit(thread: Thread, ended: Int32Array): void {
  const wait = (): void => void Atomics.wait(ended, 0, 0, exitTimeoutMs)
  process.once('exit', wait)
  thread.once('exit', () => process.off('exit', wait))
}
