import type { TraceInput } from '@celery/app/internal'
import type { PendingSettlement, ReceivedDelivery } from '@celery/messaging'
import { decodeEnvelope, parseIsoTime, type WireMessage } from '@celery/protocol'
import type { RefusableEnd } from './outcome-settler.ts'
import type { JobResult, TaskJob } from './pools/task-pool.ts'
import type { TaskStrategy } from './task-strategy.ts'
import type { MessageOrigin } from './trace-input.ts'

/** What happens to a task after the pool had it. */
export interface ActiveTaskOwner {
  /** Reads a message again that was read before. */
  read(message: WireMessage, origin: MessageOrigin): TraceInput
  started(task: ActiveTask, pid: number): void
  softTimedOut(task: ActiveTask): void
  done(task: ActiveTask, result: JobResult): void
}

/** One delivery on its way through the pool. A class with plain fields: one is made for every message. */
export class ActiveTask implements TaskJob {
  readonly id: string
  /** The task's name. */
  readonly name: string
  readonly delivery: ReceivedDelivery
  readonly strategy: TaskStrategy
  envelope: string | Uint8Array | undefined
  readonly timeLimit: number | undefined
  readonly softTimeLimit: number | undefined
  readonly ignoresResult: boolean
  /** Milliseconds since 1970 after which it is not to be run any more. */
  readonly expiresAtMs: number
  readonly #owner: ActiveTaskOwner
  readonly #hostname: string
  readonly #shadow: string | null
  /** The input, or the envelope that has it; nothing any more once it is over. */
  #source: TraceInput | string | Uint8Array | undefined
  /** Milliseconds on the monotonic clock; 0 until it starts. */
  startedAt = 0
  /** Process that runs it; 0 until it starts. */
  pid = 0
  /** Whether the lease keeper was told how long it may run. */
  isLimited = false
  /** The early ack of its message, once made. */
  acknowledged: PendingSettlement<RefusableEnd> | undefined

  /** @param envelope what `input` was read from, for a pool that forwards it */
  constructor(
    delivery: ReceivedDelivery,
    input: TraceInput,
    strategy: TaskStrategy,
    owner: ActiveTaskOwner,
    envelope: string | Uint8Array | undefined,
  ) {
    const { headers, hostname } = input
    this.id = headers.id
    this.name = headers.task
    this.delivery = delivery
    this.strategy = strategy
    this.envelope = envelope
    this.ignoresResult = headers.ignore_result ?? strategy.ignoreResult
    this.expiresAtMs = headers.expires === null ? Infinity : (parseIsoTime(headers.expires) ?? Infinity)
    this.#owner = owner
    this.#hostname = hostname
    this.#shadow = headers.shadow
    // Dozens of small objects, all found in the envelope again: not kept for as long as the task waits and runs.
    this.#source = envelope ?? input
    const [hard, soft] = headers.timelimit
    this.timeLimit = hard ?? strategy.timeLimit
    this.softTimeLimit = soft ?? strategy.softTimeLimit
  }

  /** What the message says. Where its envelope was kept, that is decoded again. Not after `forget()`. */
  readInput(): TraceInput {
    const source = this.#source
    if (source === undefined) throw new Error(`what the message of task ${this.title} said is not kept after its end`)
    const isEnvelope = typeof source === 'string' || source instanceof Uint8Array
    return isEnvelope ? this.#owner.read(decodeEnvelope(source), this.origin) : source
  }

  /** It is over: until the broker has answered to its acknowledgement, its name and id are enough. */
  forget(): void {
    this.#source = undefined
    this.envelope = undefined
  }

  get origin(): MessageOrigin {
    const { queue, redeliveries } = this.delivery
    return { hostname: this.#hostname, queue, redeliveries }
  }

  /** As in Celery's log lines: `tasks.add[7c6a…]`. */
  get title(): string {
    return `${this.#shadow ?? this.name}[${this.id}]`
  }

  onStarted(pid: number): void {
    this.#owner.started(this, pid)
  }

  onSoftTimeout(): void {
    this.#owner.softTimedOut(this)
  }

  onDone(result: JobResult): void {
    this.#owner.done(this, result)
  }
}
