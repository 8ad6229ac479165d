import type { QueuedMessage, StoredState } from '../check/evidence.ts'
import type { FaultKind } from '../ledger.ts'

/** Broker and result store of one run: where its processes find them, what they hold, and what can be done to them. */
export interface Testbed extends AsyncDisposable {
  /** Faults of each kind, as shares of the number asked for. Beyond a sum of 1 there are so many more. */
  readonly shares: readonly (readonly [FaultKind, number])[]
  /** What a process of the run is told: its broker and its result store. */
  addresses(place: Place): Addresses
  /** Tasks whose messages are delivered under one of these sessions and not settled. */
  heldBy(sessions: readonly string[]): Promise<string[]>
  /** Every message that is in a queue or delivered. */
  messages(): Promise<QueuedMessage[]>
  /** Whether others can write now; waits a little for those who do. */
  isWritable(): Promise<boolean>
  /** What the result store holds of these tasks. */
  results(tasks: Iterable<string>): Promise<Map<string, StoredState>>
  /** What is wrong with what broker and store hold, once every process of the run has stopped; empty where they are sound. */
  integrity(): Promise<string[]>
  /** For a seeded bug: puts another record in the place of a task's. */
  overwriteResult(task: string, record: string): Promise<void>
  /** For a seeded bug: puts the message of a task that somebody holds into its queue once more. */
  copyHeld(task: string): Promise<void>
  /** `undefined` where broker and store are files: nobody can be cut off from them. */
  readonly network: Network | undefined
}

/** A process of the run that has a way of its own to the broker; workers of Python need none. */
export type Place = 'client' | 'python' | `worker-${number}`

export interface Addresses {
  readonly broker: string
  readonly results: string
  /** `broker_transport_options`, and those of the result store. */
  readonly options?: Readonly<Record<string, unknown>>
}

/** A broker that is a server, to which each process of the run has a way of its own that can be cut. */
export interface Network {
  /**
   * Kills the server as a crash would and starts it again after `downMs`. Before anybody can reach it `look` is called, which finds
   * just what the server had kept. Resolves to when others could reach it again.
   */
  crash(downMs: number, look: () => Promise<void>): Promise<number>
  /**
   * Cuts connections of one process. When nothing passes any more `look` is called, which finds what the process held; then it may connect
   * again. Resolves to `undefined` where there was nothing to cut.
   */
  cut(place: Place, cut: PlannedCut, look: () => Promise<void>): Promise<CutTimes | undefined>
  /** For a seeded bug: makes the message of a task that somebody holds vanish. */
  dropHeld(task: string): Promise<void>
}

/**
 * `close`: as a peer that ends; `reset`: as a peer that crashed; `swallow`: for a while nothing passes, then it is closed;
 * `reply`: closed instead of passing on what the server answers, which has been carried out; `delivery`: the same, when that
 * answer carries messages; `publish`: the same, when it answers what brings messages.
 */
export const cuts = ['close', 'reset', 'swallow', 'reply', 'delivery', 'publish'] as const

export type Cut = (typeof cuts)[number]

/** Those that can be all there is in a run. */
export type RepliedCut = 'delivery' | 'publish'

export interface PlannedCut {
  readonly how: Cut
  /** Whether all connections of the process are cut, or only the one whose answer it is. */
  readonly all: boolean
}

/** Milliseconds since 1970. */
export interface CutTimes {
  /** From when on nothing passed. */
  readonly time: number
  /** From when on the process could connect again. */
  readonly endTime: number
}
