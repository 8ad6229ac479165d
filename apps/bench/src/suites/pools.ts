import { Ideal } from '../contestants/ideal.ts'
import { PoolDrain, type PoolDrainOptions } from '../contestants/pool-drain.ts'
import { ProfiledPool, shareMetric } from '../contestants/profiled-pool.ts'
import { PythonPool, type PythonPoolOptions } from '../contestants/python-pool.ts'
import { type Part, parts } from '../profile/part-of-work.ts'
import type { ContestantEntry, RowPlan, Suite } from '../suite.ts'
import { waitMs } from '../tasks.ts'
import { hundredKibibytes, kibibyte, noop, type Workload, waiting } from '../workloads.ts'
import { pythonVersions, sqliteVersions, whyWithoutPython } from './versions.ts'

/** The pools, as a worker has them on a machine of two processors; the event loop has room for a hundred. */
const prefork: Pool = { name: 'prefork', title: 'prefork 2', slots: 2, peer: 'python-prefork' }
const threads: Pool = { name: 'threads', title: 'threads 2', slots: 2, peer: 'python-threads' }
/** Compared with a hundred threads: the original's pools of that kind, gevent and eventlet, are packages of their own. */
const async: Pool = { name: 'async', title: 'async 100', slots: 100, peer: 'python-threads-100' }
const solo: Pool = { name: 'solo', title: 'solo', slots: 1, peer: 'python-solo' }
const pools = [prefork, threads, async, solo]

interface Pool {
  readonly name: PoolDrainOptions['pool']
  readonly title: string
  readonly slots: number
  /** The contestant that is nearest to it. */
  readonly peer: string
}

const costs: readonly (readonly [title: string, workload: Workload])[] = [
  ['no-op', noop],
  ['1 KiB', kibibyte],
  ['100 KiB', hundredKibibytes],
]
const costWorkloads = costs.map(([, workload]) => workload)

const partTitles: Readonly<Record<Part, string>> = {
  ipc: 'IPC',
  decode: 'decode',
  settle: 'settle',
  fetch: 'fetch and commit',
  run: 'run',
  gc: 'GC',
  rest: 'rest',
}

/** What a task costs in each pool, where that goes, and how much of their waiting tasks share. */
export const poolCosts: Suite = {
  name: 'pools',
  title: 'what a task costs in each pool, and where its time goes',
  contestants: [
    ...pools.map(({ name, slots }) => drain(name, name, slots, [...costWorkloads, waiting(slots)])),
    ...[prefork, threads, async].map(({ name }) => drain(withOneSlot(name), name, 1, [waiting(1)])),
    ...pools.map(profiled),
    python('python-prefork', 'prefork', 2),
    python('python-threads', 'threads', 2),
    python('python-threads-100', 'threads', 100),
    python('python-solo', 'solo', 1),
    ...[1, 2, 100].map((slots) => ({ name: idealOf(slots), create: () => new Ideal(idealOf(slots), slots) })),
  ],
  rows: [
    ...costs.flatMap(([title, workload]) => pools.map((pool) => costRow(`${title}, ${pool.title}`, workload, pool))),
    ...costs.flatMap(([title, workload]) =>
      pools.map((pool) => processorRow(`${title}, ${pool.title}`, workload, pool)),
    ),
    ...[prefork, threads, async].map(({ name }) => waitingRow(`${name} 1`, withOneSlot(name), 1)),
    waitingRow(solo.title, solo.name, 1, solo.peer),
    ...[prefork, threads, async].map(({ name, peer, slots, title }) => waitingRow(title, name, slots, peer)),
  ],
  async versions({ folder }) {
    return { ...(await sqliteVersions(folder)), ...pythonVersions() }
  },
}

function withOneSlot(name: string): string {
  return `${name}-1`
}

function withProfile(name: string): string {
  return `${name}-profile`
}

function idealOf(slots: number): string {
  return `ideal-${slots}`
}

function drain(
  name: string,
  pool: PoolDrainOptions['pool'],
  concurrency: number,
  workloads: readonly Workload[],
): ContestantEntry {
  return { name, create: (options) => new PoolDrain(options, { name, pool, concurrency, workloads }) }
}

function profiled({ name: pool, slots }: Pool): ContestantEntry {
  const name = withProfile(pool)
  const settings = { name, pool, concurrency: slots, workloads: costWorkloads }
  return { name, create: (options) => new ProfiledPool(options, settings) }
}

function python(name: string, pool: PythonPoolOptions['pool'], concurrency: number): ContestantEntry {
  const workloads = [...costWorkloads, waiting(concurrency)]
  const settings = { name, pool, concurrency, workloads }
  return { name, missing: whyWithoutPython, create: (options) => new PythonPool(options, settings) }
}

function costRow(name: string, workload: Workload, pool: Pool): RowPlan {
  const metric = `${workload.name}Micros`
  const shares = {
    contestant: withProfile(pool.name),
    metrics: Object.fromEntries(parts.map((part) => [partTitles[part], shareMetric(workload, part)])),
  }
  const ours = { contestant: pool.name, metric }
  return { name, unit: 'µs', ours, peers: [{ contestant: pool.peer, metric }], shares }
}

function processorRow(name: string, workload: Workload, pool: Pool): RowPlan {
  const metric = `${workload.name}ProcessorMicros`
  const ours = { contestant: pool.name, metric }
  return { name: `${name}, processor time`, unit: 'µs', ours, peers: [{ contestant: pool.peer, metric }] }
}

function waitingRow(title: string, contestant: string, slots: number, peer?: string): RowPlan {
  const metric = 'waitingRate'
  const peers = [idealOf(slots), ...(peer === undefined ? [] : [peer])].map((name) => ({ contestant: name, metric }))
  return { name: `${waitMs} ms of waiting, ${title}`, unit: 'tasks/s', ours: { contestant, metric }, peers }
}
