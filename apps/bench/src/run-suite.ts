import { loadavg } from 'node:os'
import type { Contestant, ContestantEntry, Readings, SuiteOptions } from './suite.ts'

export interface RunOptions extends SuiteOptions {
  readonly runs: number
  /** Told what goes on, a line each. */
  readonly log: (line: string) => void
}

/** Everything that was measured. */
export interface Measurements {
  /** The rounds of each contestant, in order; round `n` of all of them lie beside each other in time. */
  readonly rounds: ReadonlyMap<string, readonly Readings[]>
  /** Load average over the last minute at the start of each round: what else the machine was doing. */
  readonly load: readonly number[]
}

/**
 * Lets the contestants take turns: A B C, A B C, … so that whatever slows the machine down for a while slows all of
 * them. All are started and warmed up first and stay until the end, idle while it is not their turn.
 */
export async function runSuite(entries: readonly ContestantEntry[], options: RunOptions): Promise<Measurements> {
  const { log, runs } = options
  const contestants = entries.map((entry) => entry.create(options))
  const rounds = new Map<string, Readings[]>(contestants.map(({ name }) => [name, []]))
  const load: number[] = []
  try {
    for (const contestant of contestants) {
      log(`preparing ${contestant.name}`)
      await contestant.prepare()
    }
    for (let round = 1; round <= runs; round++) {
      load.push(loadavg()[0] as number)
      for (const contestant of contestants) {
        const readings = await contestant.run()
        rounds.get(contestant.name)?.push(readings)
        log(`run ${round} of ${runs}: ${contestant.name}: ${describe(readings)}`)
      }
    }
  } finally {
    await disposeAll(contestants)
  }
  return { rounds, load }
}

/** Every one of them, whatever happens to the others. */
async function disposeAll(contestants: readonly Contestant[]): Promise<void> {
  const ends = await Promise.allSettled(contestants.map((contestant) => contestant.dispose()))
  const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
  if (failures.length > 0) throw new AggregateError(failures, 'could not end what was measured')
}

function describe(readings: Readings): string {
  return Object.entries(readings)
    .map(([metric, value]) => `${metric} ${value >= 100 ? Math.round(value) : Number(value.toPrecision(3))}`)
    .join(', ')
}
