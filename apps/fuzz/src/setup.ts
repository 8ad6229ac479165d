/** Faults of our own making, each of which the judge has to report. */
export const bugs = ['exit', 'unhandled', 'slow', 'drop', 'hold', 'silent', 'leak'] as const

export type Bug = (typeof bugs)[number]

export const brokers = ['sqlite', 'redis'] as const

export type BrokerName = (typeof brokers)[number]

/** What the processes of one run share. Travels in the environment. */
export interface Setup {
  /** Holds the notes of the worker, and the broker's file where it has one. */
  readonly directory: string
  /** Of broker and result store. */
  readonly url: string
  readonly bug: Bug | undefined
}

const variable = 'CELERY_FUZZ_SETUP'

/** The environment of the worker of a run. */
export function setupEnvironment(setup: Setup): NodeJS.ProcessEnv {
  // Root is refused a worker that reads pickle, even where that is no more than data.
  return { ...process.env, C_FORCE_ROOT: '1', [variable]: JSON.stringify(setup) }
}

export function readSetup(): Setup {
  const text = process.env[variable]
  if (text === undefined) throw new Error(`${variable} is not set: this module runs in processes that fuzz starts`)
  return JSON.parse(text) as Setup
}

/** Formats that the worker reads: all there are, pickle as far as it is plain data. */
export const acceptContent = ['json', 'yaml', 'msgpack', 'pickle', 'text', 'raw'] as const

/** The one task whose results are not kept. */
export const taskWithoutResult = 'wapp.ignored'
