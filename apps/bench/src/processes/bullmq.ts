/** How BullMQ is set up in all of its processes. */
import { Redis } from 'ioredis'

/** What its processes are started with. */
export interface BullmqArgument {
  readonly url: string
  /** Whether jobs keep what they return, as they do by default. Without, they are removed when they end. */
  readonly results: boolean
  /** The argument of every job. */
  readonly padding: string
}

export const queueName = 'bench'

/** As its manual has it: a worker's connection is not to give up. */
export function connect(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: null })
}
