import { parseArgs } from 'node:util'
import { type Bug, bugs } from './setup.ts'

export interface ChaosOptions {
  readonly tasks: number
  readonly faults: number
  readonly seed: number
  readonly workers: number
  readonly children: number
  readonly leaseMs: number
  /** Seconds between two faults, on average; sets how long tasks take. */
  readonly pace: number
  readonly directory: string | undefined
  readonly separateResults: boolean
  readonly verbose: boolean
  readonly bug: Bug | undefined
  readonly bugEvery: number
}

export const usage = `usage: npm run chaos -- [option…]

  --broker NAME      sqlite, the embedded broker                       (sqlite)
  --tasks N          tasks to run                                      (5000)
  --faults M         faults to carry out                               (50)
  --seed S           where all random choices come from                (by chance)
  --workers N        worker processes                                  (4)
  --children N       pool processes of each                            (4)
  --lease SECONDS    after which a dead worker's tasks go to others    (2)
  --pace SECONDS     between two faults on average                     (1.5)
  --results same|separate  results in the broker's file or another one (same)
  --dir DIRECTORY    where files go; kept                              (a temporary one)
  --verbose          a line for each fault
  --bug NAME         a bug that the checker has to find: ${bugs.join(', ')}
  --bug-every N      how often it strikes: once in so many times       (1000)
`

/** The command line cannot be carried out as it is. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** @throws UsageError */
export function readOptions(args: readonly string[]): ChaosOptions {
  const { values } = parse(args)
  const number = (name: keyof typeof values, fallback: number, least: number): number => {
    const text = values[name]
    if (text === undefined) return fallback
    const value = Number(text)
    if (!(value >= least)) throw new UsageError(`--${name} must be a number of at least ${least}, not ${text}`)
    return value
  }
  const oneOf = <T extends string>(name: keyof typeof values, known: readonly T[]): T | undefined => {
    const text = values[name]
    const found = known.find((candidate) => candidate === text)
    if (text !== undefined && found === undefined) {
      throw new UsageError(`--${name} must be one of ${known.join(', ')}, not ${text}`)
    }
    return found
  }
  oneOf('broker', ['sqlite'])
  return {
    tasks: number('tasks', 5_000, 10),
    faults: number('faults', 50, 0),
    seed: number('seed', Math.floor(Math.random() * 1_000_000), 0),
    workers: number('workers', 4, 2),
    children: number('children', 4, 1),
    leaseMs: number('lease', 2, 0.5) * 1_000,
    pace: number('pace', 1.5, 0.1),
    directory: values.dir,
    separateResults: oneOf('results', ['same', 'separate']) === 'separate',
    verbose: values.verbose === true,
    bug: oneOf('bug', bugs),
    bugEvery: number('bug-every', 1_000, 1),
  }
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const
  try {
    return parseArgs({
      args: [...args],
      options: {
        broker: text,
        tasks: text,
        faults: text,
        seed: text,
        workers: text,
        children: text,
        lease: text,
        pace: text,
        results: text,
        dir: text,
        verbose: { type: 'boolean' },
        bug: text,
        'bug-every': text,
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
