import { parseArgs } from 'node:util'
import { type BrokerName, type Bug, brokers, bugs, type Topology, topologies } from './setup.ts'
import type { RepliedCut } from './testbed/testbed.ts'

export interface ChaosOptions {
  readonly broker: BrokerName
  readonly topology: Topology
  readonly tasks: number
  readonly faults: number
  /** All faults are cuts of this kind. */
  readonly cut: RepliedCut | undefined
  /** Workers of Python on the same queue; nothing is done to them. */
  readonly python: number
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

  --broker NAME      sqlite, the embedded broker, or redis             (sqlite)
  --topology NAME    single, sentinel or cluster; redis only           (single)
  --tasks N          tasks to run                                      (5000)
  --faults M         faults to carry out                               (50)
  --fetch-cut M      M faults, each of which cuts a worker's connection
                     at an answer that carries messages; redis only
  --publish-cut M    M faults, each of which cuts the client's connection
                     at the answer to a publish; redis only
  --python N         workers of Python on the same queue; redis only   (0)
  --seed S           where all random choices come from                (by chance)
  --workers N        worker processes                                  (4)
  --children N       pool processes of each                            (4)
  --lease SECONDS    after which a dead worker's tasks go to others    (2)
  --pace SECONDS     between two faults on average             (1.5; redis: 3)
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

/** They strike when a connection is cut. */
const networkBugs: ReadonlySet<Bug> = new Set(['lose-cut', 'forget-tag', 'stay-away'])

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
  const broker = oneOf('broker', brokers) ?? 'sqlite'
  const modes = ['faults', 'fetch-cut', 'publish-cut'] as const
  const asked = modes.filter((mode) => values[mode] !== undefined)
  if (asked.length > 1) throw new UsageError(`--${asked.join(' and --')} exclude each other`)
  for (const name of ['fetch-cut', 'publish-cut', 'python', 'topology'] as const) {
    if (values[name] !== undefined && broker === 'sqlite') throw new UsageError(`--${name} needs --broker redis`)
  }
  const separateResults = oneOf('results', ['same', 'separate']) === 'separate'
  if (separateResults && broker !== 'sqlite') throw new UsageError('--results separate needs --broker sqlite')
  const bug = oneOf('bug', bugs)
  if (bug !== undefined && networkBugs.has(bug) && broker === 'sqlite')
    throw new UsageError(`--bug ${bug} needs --broker redis`)
  const [mode = 'faults'] = asked
  const topology = oneOf('topology', topologies) ?? 'single'
  if (mode !== 'faults' && topology !== 'single') throw new UsageError(`--${mode} needs --topology single`)
  return {
    broker,
    topology,
    tasks: number('tasks', 5_000, 10),
    faults: number(mode, 50, 0),
    cut: mode === 'fetch-cut' ? 'delivery' : mode === 'publish-cut' ? 'publish' : undefined,
    python: number('python', 0, 0),
    seed: number('seed', Math.floor(Math.random() * 1_000_000), 0),
    workers: number('workers', 4, 2),
    children: number('children', 4, 1),
    leaseMs: number('lease', 2, 0.5) * 1_000,
    // A broker that is away stops everybody.
    pace: number('pace', broker === 'redis' ? 3 : 1.5, 0.1),
    directory: values.dir,
    separateResults,
    verbose: values.verbose === true,
    bug,
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
        topology: text,
        tasks: text,
        faults: text,
        'fetch-cut': text,
        'publish-cut': text,
        python: text,
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
