import { fileURLToPath } from 'node:url'

/** In which language a client or a worker is written. */
export type Language = 'python' | 'typescript'

/** A queue that is bound to an exchange of its own. */
export interface BoundQueue {
  readonly name: string
  readonly exchange: string
  readonly exchangeType: 'direct' | 'topic'
  readonly routingKey: string
}

/** Settings of Celery in Python's spelling, which both sides understand. */
export type CelerySettings = Readonly<Record<string, unknown>>

/** What a program of either side is told. Travels in the environment. */
export interface Setup {
  readonly broker: string
  readonly backend: string
  readonly settings: CelerySettings
  /** None: the default queue, and those that are only named. */
  readonly queues: readonly BoundQueue[]
  /** File to which tasks append what they did. */
  readonly notes: string
}

const setupVariable = 'CELERY_INTEROP_SETUP'

/** This app: drivers are found among its dependencies. */
export const appFolder: string = fileURLToPath(new URL('..', import.meta.url))

export function readSetup(): Setup {
  const text = process.env[setupVariable]
  if (text === undefined)
    throw new Error(`${setupVariable} is not set: this module runs in workers that interop starts`)
  return JSON.parse(text) as Setup
}

export function setupEnvironment(setup: Setup): Record<string, string> {
  return { [setupVariable]: JSON.stringify(setup) }
}
