import type { Addresses } from './testbed/testbed.ts'

/** Faults of our own making, each of which the checker has to report. */
export const bugs = [
  'ack-early',
  'drop',
  'send-twice',
  'hold',
  'overwrite',
  'false-explanation',
  'lose-cut',
  'forget-tag',
  'stay-away',
] as const

export type Bug = (typeof bugs)[number]

export const brokers = ['sqlite', 'redis'] as const

export type BrokerName = (typeof brokers)[number]

export const topologies = ['single', 'sentinel', 'cluster'] as const

/** One server; a primary with a replica, watched by sentinels; a cluster. */
export type Topology = (typeof topologies)[number]

/** What the processes of one run share. Travels in the environment. */
export interface Setup {
  readonly broker: BrokerName
  readonly topology: Topology
  /** Holds the ledgers, the output of the workers, and the files of a broker that has some. */
  readonly directory: string
  readonly seed: number
  readonly leaseMs: number
  /** Tasks that the client is to get confirmed. */
  readonly tasks: number
  /** Milliseconds that a task which sleeps sleeps, on average. */
  readonly meanSleepMs: number
  /** Messages that the client keeps ready in the queue. */
  readonly backlog: number
  /** Keeps results in a file of their own, so that storing and settling are two steps. */
  readonly separateResults: boolean
  readonly bug: Bug | undefined
  /** How many events there are on average for each one that the bug spoils. */
  readonly bugEvery: number
}

/** What one process of the run is told. */
export interface ProcessSetup extends Setup {
  readonly addresses: Addresses
}

const variable = 'CELERY_CHAOS_SETUP'

/** The environment of a process of the run. */
export function setupEnvironment(setup: Setup, addresses: Addresses): NodeJS.ProcessEnv {
  const told: ProcessSetup = { ...setup, addresses }
  return { ...process.env, [variable]: JSON.stringify(told) }
}

export function readSetup(): ProcessSetup {
  const text = process.env[variable]
  if (text === undefined) throw new Error(`${variable} is not set: this module runs in processes that chaos starts`)
  return JSON.parse(text) as ProcessSetup
}
