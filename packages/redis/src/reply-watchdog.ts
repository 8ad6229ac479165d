/**
 * Notices a server that has stopped answering, also one that the network has swallowed: with commands waiting it must send
 * something within `replyTimeoutMs`, and with none it is asked every `idleMs`.
 */
export class ReplyWatchdog {
  readonly #options: ReplyWatchdogOptions
  readonly #timer: NodeJS.Timeout
  #quietTicks = 0
  #idleTicks = 0
  #answered = false

  constructor(options: ReplyWatchdogOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#tick(), options.replyTimeoutMs / ticksPerTimeout).unref()
  }

  /** The server has answered something. */
  answered(): void {
    this.#answered = true
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /**
   * Counts ticks rather than time: where the process itself stood still, a tick comes late and what the server has sent
   * meanwhile has not been read yet.
   */
  #tick(): void {
    const { replyTimeoutMs, idleMs, isWaiting, ask, onSilence } = this.#options
    const tickMs = replyTimeoutMs / ticksPerTimeout
    const waits = isWaiting()
    this.#quietTicks = waits && !this.#answered ? this.#quietTicks + 1 : 0
    this.#idleTicks = waits || this.#answered ? 0 : this.#idleTicks + 1
    this.#answered = false
    // One more than the time itself takes: the first may come right after the command.
    if (this.#quietTicks > ticksPerTimeout) onSilence()
    else if (idleMs > 0 && this.#idleTicks * tickMs >= idleMs) {
      this.#idleTicks = 0
      ask()
    }
  }
}

const ticksPerTimeout = 8

export interface ReplyWatchdogOptions {
  /** Milliseconds within which a server that owes an answer must send something. */
  readonly replyTimeoutMs: number
  /** Milliseconds without any command after which it is asked whether it is there; 0 for never. */
  readonly idleMs: number
  isWaiting(): boolean
  ask(): void
  onSilence(): void
}
