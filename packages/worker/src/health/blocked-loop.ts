import { findRunningTask } from './find-running-task.ts'
import { blockedMs, type HealthReason } from './health-report.ts'
import { type LastTitle, readTitle } from './last-title.ts'
import { silenceMs } from './main-loop-beat.ts'

/** What the main thread writes down for others. */
export interface LoopMemory {
  readonly beat: BigInt64Array
  /** The task that was started last. */
  readonly lastTask: LastTitle['shared']
}

/** The main loop, looked at from another thread. */
export class BlockedLoop {
  readonly #memory: LoopMemory

  constructor(memory: LoopMemory) {
    this.#memory = memory
  }

  /** Milliseconds since it last turned. */
  get silenceMs(): number {
    return silenceMs(this.#memory.beat)
  }

  /** Whether that is so long that nobody should count on it. */
  get isBlocked(): boolean {
    return this.silenceMs > blockedMs
  }

  /** What blocks it. */
  async reason(): Promise<HealthReason> {
    const running = await findRunningTask()
    const last = readTitle(this.#memory.lastTask)
    const seconds = Math.floor(this.silenceMs / 1_000)
    return { code: 'blocked', message: `the main loop has been blocked for ${seconds} s ${blame(running, last)}` }
  }
}

function blame(running: string | undefined, last: string): string {
  if (running === '') return 'by code outside of tasks'
  if (running !== undefined) return `by task ${running}`
  // In native code, which nothing interrupts.
  return last === '' ? 'by something that cannot be told' : `probably by task ${last}, the last that was started`
}
