import { createRequire } from 'node:module'
import { Worker as Thread } from 'node:worker_threads'
import { deferred } from '@celery/promises'
import type { DeliveryRef, LeaseKeeperSpec } from '@celery/transport'
import type { LeaseKeeperCommand, LeaseKeeperReport, LeaseKeeperThreadData } from './lease-keeper-thread.ts'

/** Built JavaScript, also when this file is run from its source. */
const threadModule = createRequire(import.meta.url).resolve('@celery/worker/lease-keeper-thread')

/** Milliseconds before a thread that ended is replaced; longer each time in a row. */
const firstPauseMs = 100
const longestPauseMs = 5_000

export interface LeaseKeeperOptions {
  /** From the broker connection whose deliveries are to be kept. */
  readonly spec: LeaseKeeperSpec
  /** A renewal failed, or the thread died; it is replaced. */
  readonly onError: (error: Error) => void
}

/**
 * Keeps the leases of one broker connection from a thread that no user code can block. A delivery with a limit is
 * renewed until then and no longer: whatever holds the main thread, its message goes to another worker.
 */
export class LeaseKeeper implements AsyncDisposable {
  readonly #options: LeaseKeeperOptions
  /** A thread that takes the place of another one must know them too. */
  readonly #limits = new Map<string, { readonly delivery: DeliveryRef; readonly expiresAt: number }>()
  #thread: Thread | undefined
  #stopped = false
  /** Threads in a row that did not live for long. */
  #failures = 0
  #restart: NodeJS.Timeout | undefined

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
  }

  /** Resolves when leases are kept; rejects where the first thread ends before that, and goes on trying until `stop`. */
  async start(): Promise<void> {
    const ready = deferred()
    const { module, data } = this.#options.spec
    const thread = new Thread(threadModule, {
      workerData: { module: module.href, data } satisfies LeaseKeeperThreadData,
      // User code's loaders and flags have no business here.
      execArgv: [],
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
    this.#limits.set(delivery.tag, { delivery, expiresAt: performance.now() + expiresInMs })
    this.#post({ type: 'limit', delivery, expiresInMs })
  }

  /** Takes the limit away: the delivery was settled. */
  unlimit(delivery: DeliveryRef): void {
    this.#limits.delete(delivery.tag)
    this.#post({ type: 'unlimit', delivery })
  }

  hold(deliveries: readonly DeliveryRef[]): void {
    this.#post({ type: 'hold', deliveries })
  }

  release(deliveries: readonly DeliveryRef[]): void {
    this.#post({ type: 'release', deliveries })
  }

  /** Stops renewing; what is still held comes back to the queue by its lease. Safe twice. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#restart)
    const thread = this.#thread
    this.#thread = undefined
    if (thread === undefined) return
    const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
    thread.postMessage({ type: 'stop' } satisfies LeaseKeeperCommand)
    // Not `terminate()`: amid a call into libsql, one that waits for the disk for example, it aborts the whole process.
    thread.ref()
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Its thread has ended, though nobody told it to. */
  #replace(error: Error): void {
    this.#thread = undefined
    this.#say(error.message)
    if (this.#stopped) return
    const delayMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures++)
    // What goes wrong again comes here again.
    this.#restart = setTimeout(() => void this.start().catch(() => {}), delayMs).unref()
  }

  #repeatLimits(): void {
    const now = performance.now()
    for (const { delivery, expiresAt } of this.#limits.values()) {
      this.#post({ type: 'limit', delivery, expiresInMs: Math.max(0, expiresAt - now) })
    }
  }

  #report(report: Exclude<LeaseKeeperReport, { readonly type: 'ready' }>): void {
    if (report.type === 'error') {
      this.#say(report.message)
      return
    }
    this.#limits.delete(report.tag)
    this.#say(`message ${report.tag} outlived its limit and was given up`)
  }

  #say(message: string): void {
    this.#options.onError(new Error(`lease keeper: ${message}`))
  }

  #post(command: LeaseKeeperCommand): void {
    this.#thread?.postMessage(command)
  }
}
