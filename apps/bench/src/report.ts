import type { Measurements } from './run-suite.ts'
import { median } from './statistics.ts'
import type { Peer, Readings, RowPlan, SharePlan, Source } from './suite.ts'

/** A line of the report. */
export interface Row {
  readonly name: string
  readonly unit: string
  /** Median over all runs. */
  readonly ours: number
  /** Medians of the others, by their names. */
  readonly peers: Readonly<Record<string, number>>
  /**
   * Ours to each peer: the median of the ratios within each run. Not the ratio of the medians, because what disturbs
   * a run disturbs both sides of its ratio.
   */
  readonly ratios: Readonly<Record<string, number>>
  /** What we aim at, and whether this run got there. */
  readonly aims: readonly Aim[]
  /** Where our time goes: medians, in percent. Absent where nobody measured that. */
  readonly shares?: Readonly<Record<string, number>>
  /** All values, in the order of the runs, by contestant. */
  readonly samples: Readonly<Record<string, readonly number[]>>
}

export interface Aim {
  /** A peer's name where it is about a ratio, `value` where it is about our value itself. */
  readonly of: string
  readonly atLeast?: number
  /** Beyond `atLeast`; `met` says nothing of it. */
  readonly better?: number
  readonly atMost?: number
  readonly met: boolean
}

/** The rows for which there are values of ours; peers that took no part are left out. */
export function reportRows(plans: readonly RowPlan[], { rounds }: Measurements): Row[] {
  return plans.flatMap((plan) => {
    const ours = samplesOf(rounds, plan.ours)
    if (ours === undefined) return []
    const peers = (plan.peers ?? []).flatMap((peer) => {
      const samples = samplesOf(rounds, peer)
      return samples === undefined ? [] : [{ peer, samples, ratio: medianRatio(ours, samples) }]
    })
    const value = median(ours)
    const shares = plan.shares && mediansOf(rounds, plan.shares)
    return [
      {
        name: plan.name,
        unit: plan.unit,
        ours: value,
        peers: Object.fromEntries(peers.map(({ peer, samples }) => [peer.contestant, median(samples)])),
        ratios: Object.fromEntries(peers.map(({ peer, ratio }) => [peer.contestant, ratio])),
        aims: [
          ...(plan.atMost === undefined ? [] : [{ of: 'value', atMost: plan.atMost, met: value <= plan.atMost }]),
          ...peers.flatMap(({ peer, ratio }) => aimOf(peer, ratio)),
        ],
        ...(shares === undefined ? {} : { shares }),
        samples: {
          [plan.ours.contestant]: ours,
          ...Object.fromEntries(peers.map(({ peer, samples }) => [peer.contestant, samples])),
        },
      },
    ]
  })
}

function aimOf({ atLeast, better, contestant }: Peer, ratio: number): Aim[] {
  if (atLeast === undefined) return []
  return [{ of: contestant, atLeast, ...(better === undefined ? {} : { better }), met: ratio >= atLeast }]
}

/** `undefined` where it took no part, or cannot be measured on this platform. */
function samplesOf(
  rounds: ReadonlyMap<string, readonly Readings[]>,
  { contestant, metric }: Source,
): readonly number[] | undefined {
  const values = rounds.get(contestant)?.flatMap((readings) => readings[metric] ?? [])
  return values === undefined || values.length === 0 ? undefined : values
}

/** `undefined` where it took no part. */
function mediansOf(
  rounds: ReadonlyMap<string, readonly Readings[]>,
  { contestant, metrics }: SharePlan,
): Readonly<Record<string, number>> | undefined {
  const medians = Object.entries(metrics).flatMap(([name, metric]) => {
    const samples = samplesOf(rounds, { contestant, metric })
    return samples === undefined ? [] : [[name, median(samples)] as const]
  })
  return medians.length === 0 ? undefined : Object.fromEntries(medians)
}

function medianRatio(ours: readonly number[], peers: readonly number[]): number {
  return median(ours.map((value, round) => value / (peers[round] as number)))
}
