import type { TraceInput } from '@celery/app/internal'
import type { PendingSettlement, ReceivedDelivery } from '@celery/messaging'
import type { JobResult, TaskJob } from './pools/task-pool.ts'
import type { TaskStrategy } from './task-strategy.ts'

/** What happens to a task after the pool had it. */
export interface ActiveTaskOwner {
  started(task: ActiveTask, pid: number): void
  done(task: ActiveTask, result: JobResult): void
}

/** One delivery on its way through the pool. A class with plain fields: one is made for every message. */
export class ActiveTask implements TaskJob {
  readonly delivery: ReceivedDelivery
  readonly input: TraceInput
  readonly strategy: TaskStrategy
  readonly timeLimit: number | undefined
  readonly softTimeLimit: number | undefined
  readonly #owner: ActiveTaskOwner
  /** Milliseconds on the monotonic clock; 0 until it starts. */
  startedAt = 0
  /** Process that runs it; 0 until it starts. */
  pid = 0
  /** Whether the lease keeper was told how long it may run. */
  isLimited = false
  /** The early ack of its message, once made. */
  acknowledged: PendingSettlement | undefined

  constructor(delivery: ReceivedDelivery, input: TraceInput, strategy: TaskStrategy, owner: ActiveTaskOwner) {
    this.delivery = delivery
    this.input = input
    this.strategy = strategy
    this.#owner = owner
    const [hard, soft] = input.headers.timelimit
    this.timeLimit = hard ?? strategy.timeLimit
    this.softTimeLimit = soft ?? strategy.softTimeLimit
  }

  get id(): string {
    return this.input.headers.id
  }

  /** As in Celery's log lines: `tasks.add[7c6a…]`. */
  get title(): string {
    return `${this.input.headers.shadow ?? this.input.headers.task}[${this.input.headers.id}]`
  }

  onStarted(pid: number): void {
    this.#owner.started(this, pid)
  }

  onDone(result: JobResult): void {
    this.#owner.done(this, result)
  }
}
