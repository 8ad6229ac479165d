/** How a worker is. What `celery health --json` prints, and what the worker's socket answers at `/report`. */
export interface HealthReport {
  /** Node name. */
  readonly node: string
  readonly pid: number
  readonly state: HealthState
  /** Whether it takes messages and can run tasks. */
  readonly ready: boolean
  /** Whether it is worth waiting for: its main loop is not blocked, or has not been for long. */
  readonly live: boolean
  /** Why it is not ready; none where it is. */
  readonly reasons: readonly HealthReason[]
  /** When it was made, in ISO 8601. */
  readonly startedAt: string
  readonly broker: {
    /** Without the password. */
    readonly address: string
    readonly connected: boolean
    /** Times that it was lost since the start. */
    readonly losses: number
  }
  readonly pool: {
    readonly name: string
    /** Tasks run at the same time at most. */
    readonly size: number
    readonly healthy: boolean
    /** Slots taken by tasks that ran over their hard limit and cannot be stopped. */
    readonly stuck: number
  }
  /** Names of the queues that it consumes from. */
  readonly queues: readonly string[]
  /** Tasks received and not ended. */
  readonly active: number
  /** Tasks ended since the start. */
  readonly processed: number
  /** When it last took messages, in ISO 8601; `null` before the first. */
  readonly consumedAt: string | null
}

export type HealthState = 'starting' | 'running' | 'stopping'

export interface HealthReason {
  readonly code: HealthCode
  /** A sentence for people. */
  readonly message: string
}

/**
 * `broker`: it is lost, or does not answer; `pool`: nothing can run; `results`: too many wait for their store; `stalled`:
 * messages wait, there is room for them, and none is taken; `blocked`: the main loop does nothing else than what blocks it.
 */
export type HealthCode = 'starting' | 'stopping' | 'broker' | 'pool' | 'results' | 'stalled' | 'blocked'

/** Milliseconds without a turn of the main loop after which a worker is not ready. */
export const blockedMs = 10_000

/** Milliseconds without a turn of the main loop after which a worker is not live. */
export const deadMs = 60_000
