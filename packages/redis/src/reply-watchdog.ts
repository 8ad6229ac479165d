/**
 * Notices a server that has stopped answering, also one that the network has swallowed: with commands waiting something
 * must move within `replyTimeoutMs`, be it part of a long answer or of a long command, and with none it is asked every
 * `idleMs`.
 */
export class ReplyWatchdog {
  readonly #options: ReplyWatchdogOptions
  readonly #tickMs: number
  readonly #timer: NodeJS.Timeout | undefined
  #quietTicks = 0
  #idleTicks = 0

  constructor(options: ReplyWatchdogOptions) {
    this.#options = options
    this.#tickMs = (options.replyTimeoutMs || options.idleMs) / ticksPerTimeout
    if (this.#tickMs > 0) this.#timer = setInterval(() => this.#tick(), this.#tickMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /**
   * Counts ticks rather than time: where the process itself stood still, a tick comes late and what the server has sent
   * meanwhile has not been read yet.
   */
  #tick(): void {
    const { replyTimeoutMs, idleMs, isWaiting, hasMoved, ask, onSilence } = this.#options
    const waits = isWaiting()
    const moved = hasMoved()
    this.#quietTicks = waits && !moved ? this.#quietTicks + 1 : 0
    this.#idleTicks = waits || moved ? 0 : this.#idleTicks + 1
    // One more than the time itself takes: the first may come right after the command.
    if (replyTimeoutMs > 0 && this.#quietTicks > ticksPerTimeout) onSilence()
    else if (idleMs > 0 && this.#idleTicks * this.#tickMs >= idleMs) {
      this.#idleTicks = 0
      ask()
    }
  }
}

const ticksPerTimeout = 8

export interface ReplyWatchdogOptions {
  /** Milliseconds within which something must move where the server owes an answer; 0 for any time. */
  readonly replyTimeoutMs: number
  /** Milliseconds without any command after which it is asked whether it is there; 0 for never. */
  readonly idleMs: number
  isWaiting(): boolean
  /** Whether the other side has sent or taken anything since this was asked last. */
  hasMoved(): boolean
  ask(): void
  onSilence(): void
}
