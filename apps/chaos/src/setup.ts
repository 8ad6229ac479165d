import { join } from 'node:path'

/** Faults of our own making, each of which the checker has to report. */
export const bugs = ['ack-early', 'drop', 'send-twice', 'hold', 'overwrite', 'false-explanation'] as const

export type Bug = (typeof bugs)[number]

/** What the processes of one run share. Travels in the environment. */
export interface Setup {
  /** Holds the broker's file, the ledgers and the output of the workers. */
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

const variable = 'CELERY_CHAOS_SETUP'

/** The environment of a process of the run. */
export function setupEnvironment(setup: Setup): NodeJS.ProcessEnv {
  return { ...process.env, [variable]: JSON.stringify(setup) }
}

export function readSetup(): Setup {
  const text = process.env[variable]
  if (text === undefined) throw new Error(`${variable} is not set: this module runs in processes that chaos starts`)
  return JSON.parse(text) as Setup
}

export function brokerFile(setup: Setup): string {
  return join(setup.directory, 'queue.db')
}

export function resultFile(setup: Setup): string {
  return setup.separateResults ? join(setup.directory, 'results.db') : brokerFile(setup)
}

export function sqliteUrl(path: string): string {
  return `sqlite:///${path}`
}
