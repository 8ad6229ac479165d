/** What one round of a contestant measured, by the name of the metric. */
export type Readings = Readonly<Record<string, number>>

/** One way to do the work of a suite: ours, or a peer's. */
export interface Contestant {
  readonly name: string
  /** Starts what is needed and warms it up; none of it is measured. Called once. */
  prepare(): Promise<void>
  /** One round. The contestants of a suite take turns, so a round says nothing until all have had theirs. */
  run(): Promise<Readings>
  /** Ends everything. Also called after a failure, and safe where `prepare` never got to its end. */
  dispose(): Promise<void>
}

/** A metric of a contestant. */
export interface Source {
  readonly contestant: string
  readonly metric: string
}

export interface Peer extends Source {
  /** The ratio ours to peer that we aim at. */
  readonly atLeast?: number
  /** The ratio that we hope for beyond it. */
  readonly better?: number
}

/** A line of the table: one figure of ours, beside the same figure of others. */
export interface RowPlan {
  readonly name: string
  readonly unit: string
  readonly ours: Source
  readonly peers?: readonly Peer[]
  /** The value that we aim at or below. */
  readonly atMost?: number
  /** Where the time of ours goes. */
  readonly shares?: SharePlan
}

/** Parts of the time that a contestant spends, in percent of all of it. */
export interface SharePlan {
  readonly contestant: string
  /** The name of each part in the table, and its metric. */
  readonly metrics: Readonly<Record<string, string>>
}

export interface SuiteOptions {
  /** Tasks in each drain. */
  readonly tasks: number
  /** Calls of each round of the round-trip test. */
  readonly roundTrips: number
  /** Where files go that are made on the way; removed by the caller. */
  readonly folder: string
  /** Writes CPU profiles of the measured processes into this folder. */
  readonly cpuProfileFolder?: string
}

export interface Suite {
  readonly name: string
  /** One sentence for `--list`. */
  readonly title: string
  readonly contestants: readonly ContestantEntry[]
  readonly rows: readonly RowPlan[]
  /** Versions of what it measures, for the report. */
  versions(options: SuiteOptions): Promise<Readonly<Record<string, string>>>
}

export interface ContestantEntry {
  readonly name: string
  /** Why it cannot take part on this machine; `undefined` if it can. */
  missing?(): string | undefined
  create(options: SuiteOptions): Contestant
}
