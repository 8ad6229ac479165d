import type { Random } from '@celery/protocol/testkit'
import type { Case } from '../cases.ts'

/** Broker and result store of the worker under test, as they are from outside. */
export interface FuzzBroker extends AsyncDisposable {
  /** Where the worker finds both. */
  readonly url: string
  /** Puts spoiled messages into the queue of the worker, as they are. */
  put(cases: readonly Case[]): Promise<void>
  /** Before the worker starts: writes what others left behind. Resolves to the ids of tasks that have to run. */
  prepare?(): Promise<readonly string[]>
  /** Writes beside the queue what nobody who keeps to the rules would. Resolves to the ids of tasks that have to run in spite of it. */
  disturb?(random: Random, round: number): Promise<readonly string[]>
  contents(): Promise<QueueContents>
  /** Takes the dead letters out of their queue. */
  takeDeadLetters(): Promise<DeadLetters>
  /** What the result store holds of these tasks. */
  records(ids: readonly string[]): Promise<ReadonlyMap<string, StoredRecord>>
}

/** What lies where in the queue of the worker, by the tags of the cases. */
export interface QueueContents {
  readonly delayed: ReadonlySet<string>
  /** Ready, or held by the worker. What is no case's has a name of its own. */
  readonly left: ReadonlySet<string>
}

export interface DeadLetters {
  readonly count: number
  /** Why they are there, by the tag of the case and by the id of the task where they have one. */
  readonly reasons: ReadonlyMap<string, string>
}

export interface StoredRecord {
  readonly state: string
  readonly text: string
}
