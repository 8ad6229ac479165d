import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CommandLine, parseCommandLine, UsageError, usage } from './command-line.ts'
import { describeMachine } from './machine.ts'
import { type Row, reportRows } from './report.ts'
import { type Measurements, runSuite } from './run-suite.ts'
import type { ContestantEntry, Suite } from './suite.ts'
import { suites } from './suites/index.ts'
import { renderTable } from './table.ts'

/** Where a run writes: the table is its result, everything else tells how it goes. */
export interface Output {
  readonly result: (text: string) => void
  readonly progress: (text: string) => void
}

/** What `--json` writes. */
export interface Report {
  readonly suite: string
  readonly startedAt: string
  readonly runs: number
  readonly tasks: number
  readonly machine: ReturnType<typeof describeMachine>
  /** Load average over the last minute at the start of each run. */
  readonly load: readonly number[]
  readonly versions: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
}

/** Runs a suite as the command line says; resolves to the exit status. */
export async function bench(args: readonly string[], output: Output): Promise<number> {
  try {
    const commandLine = parseCommandLine(args)
    if (commandLine.help) output.result(usage)
    else if (commandLine.list) output.result(`${suites.map(describeSuite).join('\n')}\n`)
    else await measure(commandLine, output)
    return 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    output.progress(`bench: ${error.message}\n\n${usage}`)
    return 2
  }
}

async function measure(commandLine: CommandLine, output: Output): Promise<void> {
  const { cpuProfileFolder, json, roundTrips, runs, tasks } = commandLine
  const suite = findSuite(commandLine.suite)
  const log = (line: string): void => output.progress(`${line}\n`)
  const entries = choose(suite, commandLine.only, log)
  const startedAt = new Date().toISOString()
  const folder = await mkdtemp(join(tmpdir(), 'celery-bench-'))
  const options = { tasks, roundTrips, folder, ...(cpuProfileFolder === undefined ? {} : { cpuProfileFolder }) }
  let measurements: Measurements
  let versions: Readonly<Record<string, string>>
  try {
    versions = { node: process.version, ...(await suite.versions(options)) }
    measurements = await runSuite(entries, { ...options, runs, log })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const report: Report = {
    suite: suite.name,
    startedAt,
    runs,
    tasks,
    machine: describeMachine(),
    load: measurements.load,
    versions,
    rows: reportRows(suite.rows, measurements),
  }
  output.result(`\n${renderTable(report.rows)}\n\n${describeRun(report)}\n`)
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`)
}

function findSuite(name: string): Suite {
  const suite = suites.find((each) => each.name === name)
  if (suite !== undefined) return suite
  throw new UsageError(`there is no suite "${name}"; there is ${suites.map((each) => each.name).join(', ')}`)
}

/** @throws UsageError for a name that is none, or where nobody is left. */
function choose(suite: Suite, only: readonly string[], log: (line: string) => void): ContestantEntry[] {
  const unknown = only.filter((name) => !suite.contestants.some((entry) => entry.name === name))
  if (unknown.length > 0) {
    const known = suite.contestants.map((entry) => entry.name).join(', ')
    throw new UsageError(`suite "${suite.name}" has no contestant "${unknown.join('", "')}"; it has ${known}`)
  }
  return suite.contestants.filter((entry) => {
    if (only.length > 0 && !only.includes(entry.name)) return false
    const reason = entry.missing?.()
    if (reason !== undefined) log(`without ${entry.name}: ${reason}`)
    return reason === undefined
  })
}

function describeSuite({ name, title, contestants }: Suite): string {
  return `${name}: ${title}\n  ${contestants.map((entry) => entry.name).join(', ')}`
}

function describeRun({ machine, load, runs, tasks, versions }: Report): string {
  const { cpu, memoryGiB, os, processors } = machine
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `medians of ${runs} runs; ${tasks.toLocaleString('en')} tasks in each drain`,
    `${processors} × ${cpu}, ${memoryGiB} GiB, ${os}; load ${load.map((value) => value.toFixed(1)).join(' ')}`,
    named.join(', '),
  ].join('\n')
}
