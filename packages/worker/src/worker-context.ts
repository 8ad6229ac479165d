import type { Celery } from '@celery/app'
import type { ResultWrite } from '@celery/backend'
import type { Connection, Consumer, Queue } from '@celery/messaging'
import type { BrokerConnection } from '@celery/transport'
import type { BrokerLeases } from './broker-leases.ts'
import type { TaskDispatcher } from './dispatcher.ts'
import type { GivenUp } from './given-up.ts'
import type { HealthState } from './health/health-report.ts'
import type { WorkerHealth } from './health/worker-health.ts'
import type { Logger } from './logger.ts'
import type { OutcomeSettler } from './outcome-settler.ts'
import type { TaskPool } from './pools/task-pool.ts'
import type { RepeatedMessages } from './repeated-messages.ts'
import type { WorkerOptions } from './worker-options.ts'

/** What the steps of a worker share: what it was told, and the parts that earlier steps have made. */
export interface WorkerContext {
  readonly app: Celery
  readonly options: WorkerOptions
  readonly hostname: string
  readonly queues: readonly Queue[]
  readonly concurrency: number
  readonly poolName: string
  readonly logger: Logger
  readonly repeated: RepeatedMessages
  /** Whether running tasks are ended instead of awaited when the worker stops. */
  cold: boolean
  readonly state: () => HealthState

  /** Where anyone may ask how the worker is. */
  health?: WorkerHealth
  connection?: Connection
  /** The connection that deliveries come from; another one after a reconnect. */
  broker?: BrokerConnection
  /** Whether it did not answer the last settlements in the time that a stop has for them. */
  isBrokerSilent?: boolean
  /** Settlements that it did not take in that time. */
  givenUp?: GivenUp[]
  leases?: BrokerLeases
  outcomes?: OutcomeSettler
  pool?: TaskPool
  dispatcher?: TaskDispatcher
  consumer?: Consumer
}

/** A part that an earlier step has made. */
export function made<Part>(part: Part | undefined, name: string): Part {
  if (part === undefined) throw new Error(`the worker's ${name} is used before the step that makes it has run`)
  return part
}

/** Milliseconds for which a warmly stopping worker goes on trying to reach a broker or a store that is away. */
export function settleGraceMs({ options }: WorkerContext): number {
  return options.settleGraceMs ?? 1_000
}

/** The same for one that is to end at once. */
export const coldGraceMs = 1_000

/** The record to store instead of one that the store refuses. */
export function refusedRecord({ app, logger }: WorkerContext, { taskId }: ResultWrite, error: unknown): ResultWrite {
  logger.critical(`the result of task ${taskId} cannot be stored: ${describeError(error)}`)
  return app.tracer.refusedRecord(taskId, error)
}

/** The record to store instead of one whose follow-ups or acknowledgement the broker refuses: nothing of it happened. */
export function unsettledRecord({ app, logger }: WorkerContext, { taskId }: ResultWrite, error: unknown): ResultWrite {
  logger.critical(`task ${taskId} fails, because the broker refuses what is to follow from it: ${describeError(error)}`)
  return app.tracer.refusedRecord(taskId, error)
}

/** Logs what goes wrong again and again while a broker or a store is away, but not every time. */
export function complain({ logger, repeated }: WorkerContext, problem: string, more = ''): void {
  if (repeated.isDue(problem)) logger.error(problem + more)
}

/** What is said after a complaint, and is no news by itself. */
export function tryingAgain(retryInMs: number): string {
  return `; trying again in ${(retryInMs / 1_000).toFixed(1)} s`
}

export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
