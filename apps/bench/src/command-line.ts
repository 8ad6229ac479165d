import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export interface CommandLine {
  readonly suite: string
  readonly runs: number
  readonly tasks: number
  readonly roundTrips: number
  /** Names of contestants; empty for all. */
  readonly only: readonly string[]
  /** File for the report. */
  readonly json: string | undefined
  readonly cpuProfileFolder: string | undefined
  readonly list: boolean
  readonly help: boolean
}

export const usage = `usage: npm run bench -- [options]

  --suite NAME       which suite (default: embedded)
  --json FILE        write the report to a file
  --runs N           runs, of which the median counts (default: 5)
  --only A,B         only these contestants; rows of others are left out
  --tasks N          tasks in each drain (default: 10000)
  --round-trips N    calls in each round-trip test (default: 200)
  --cpu-prof DIR     write CPU profiles of the measured Node processes
  --list             show the suites and their contestants
`

/** A mistake in the options; the message says which. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** @throws UsageError */
export function parseCommandLine(args: readonly string[], cwd: string = process.cwd()): CommandLine {
  const values = parse(args)
  const path = (value: string | undefined): string | undefined =>
    value === undefined ? undefined : resolve(cwd, value)
  return {
    suite: values.suite,
    runs: count('runs', values.runs),
    tasks: count('tasks', values.tasks),
    roundTrips: count('round-trips', values['round-trips']),
    only: values.only === undefined ? [] : values.only.split(',').map((name) => name.trim()),
    json: path(values.json),
    cpuProfileFolder: path(values['cpu-prof']),
    list: values.list,
    help: values.help,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        suite: { type: 'string', default: 'embedded' },
        json: { type: 'string' },
        runs: { type: 'string', default: '5' },
        only: { type: 'string' },
        tasks: { type: 'string', default: '10000' },
        'round-trips': { type: 'string', default: '200' },
        'cpu-prof': { type: 'string' },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function count(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new UsageError(`--${name} takes a whole number above 0, not "${text}"`)
}
