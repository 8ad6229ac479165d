import { setTimeout as sleep } from 'node:timers/promises'
import type { Celery } from 'celery'
import { LiveWorker } from './live-worker.ts'
import { oneLine } from './report.ts'
import type { Setup } from './setup.ts'

/** Milliseconds after which a good task is given up. */
const goodTaskMs = 60_000

/** The worker that is tried, and whoever sends it good tasks in between. */
export class Subject {
  /** Processes that ended by themselves. */
  exits = 0
  readonly #worker: LiveWorker
  readonly #client: Celery
  readonly #tell: (reason: string) => void
  #children: readonly number[] = []

  private constructor(worker: LiveWorker, client: Celery, tell: (reason: string) => void) {
    this.#worker = worker
    this.#client = client
    this.#tell = tell
  }

  /** Resolves when a first task has run. @param tell - Is told what goes wrong. */
  static async start(setup: Setup, client: Celery, tell: (reason: string) => void): Promise<Subject> {
    const subject = new Subject(await LiveWorker.start(setup), client, tell)
    await subject.runGoodTask()
    subject.#children = subject.#worker.children()
    return subject
  }

  /** The worker itself has ended, so that there is nothing left to try. */
  get isGone(): boolean {
    return this.#worker.hasExited
  }

  /**
   * Sends a good task and waits for its result; resolves to the milliseconds that took, as far as it came, without those
   * in which nobody got a processor.
   */
  async runGoodTask(): Promise<number> {
    const started = performance.now() - this.#worker.waitedMs()
    const result = await this.#client.sendTask('fuzz.good', [1])
    const ended = new AbortController()
    const answer = result
      .get({ timeout: goodTaskMs / 1_000 })
      .catch((error: unknown) => this.#tell(`good task: ${oneLine(String(error))}`))
    await Promise.race([answer, this.#untilGone(ended.signal)])
    ended.abort()
    if (this.isGone) {
      this.exits++
      this.#tell(`exit: the worker ended; it said ${oneLine(this.#worker.output)}`)
    }
    return Math.max(0, performance.now() - this.#worker.waitedMs() - started)
  }

  /** Counts pool processes that have ended, but for those that a time limit ended. */
  countLostChildren(timeLimits: number): void {
    const there = this.#worker.children()
    const lost = this.#children.filter((pid) => !there.includes(pid)).length - timeLimits
    this.#children = there
    if (lost <= 0) return
    this.exits += lost
    this.#tell(`exit: ${lost} pool processes ended; the worker said ${oneLine(this.#worker.output)}`)
  }

  memory(): ReadonlyMap<number, number> {
    return this.#worker.memory()
  }

  async stop(): Promise<void> {
    if (this.isGone) return
    const { status, signal } = await this.#worker.stop()
    if (status !== 0) this.#tell(`stop: the worker ended with ${signal ?? `status ${status}`}`)
  }

  async #untilGone(signal: AbortSignal): Promise<void> {
    while (!this.isGone && !signal.aborted) await sleep(20)
  }
}
