import { createRequire } from 'node:module'
import { Worker as Thread } from 'node:worker_threads'
import { deferred } from '@celery/promises'
import type { DeliveryRef, LeaseKeeperSpec } from '@celery/transport'
import type { LeaseKeeperCommand, LeaseKeeperReport, LeaseKeeperThreadData } from './lease-keeper-thread.ts'

/** Built JavaScript, also when this file is run from its source. */
const threadModule = createRequire(import.meta.url).resolve('@celery/worker/lease-keeper-thread')

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
  #thread: Thread | undefined
  #stopping = false

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
  }

  /** Resolves when the thread keeps leases. */
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
      if (report.type === 'ready') ready.resolve()
      else if (report.type === 'error') this.#options.onError(new Error(`lease keeper: ${report.message}`))
      else this.#options.onError(new Error(`lease keeper: message ${report.tag} outlived its limit and was given up`))
    })
    thread.on('error', (error) => {
      ready.reject(error)
      this.#options.onError(error as Error)
    })
    thread.on('exit', () => {
      if (this.#stopping || this.#thread !== thread) return
      this.start().catch((error: unknown) => this.#options.onError(error as Error))
    })
    await ready.promise
  }

  /** Renews `delivery` for `expiresInMs` more and then gives it up. */
  limit(delivery: DeliveryRef, expiresInMs: number): void {
    this.#post({ type: 'limit', delivery, expiresInMs })
  }

  /** Takes the limit away: the delivery was settled. */
  unlimit(delivery: DeliveryRef): void {
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
    this.#stopping = true
    const thread = this.#thread
    this.#thread = undefined
    if (thread === undefined) return
    const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()))
    thread.postMessage({ type: 'stop' } satisfies LeaseKeeperCommand)
    const impatient = setTimeout(() => void thread.terminate(), 1_000)
    await exited
    clearTimeout(impatient)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #post(command: LeaseKeeperCommand): void {
    this.#thread?.postMessage(command)
  }
}
