import type { Case } from './cases.ts'
import type { Reading } from './reading.ts'

/** Where messages are and what is known of tasks, after a batch. */
export interface Evidence {
  /** Tags and task ids of dead letters, with why they are there. */
  readonly dead: ReadonlyMap<string, string>
  /** Tags of messages that are held back until a time. */
  readonly delayed: ReadonlySet<string>
  /** Tags of messages that are ready or held by the worker. */
  readonly left: ReadonlySet<string>
  /** States in the result store. */
  readonly states: ReadonlyMap<string, string>
  /** Ids of tasks that the worker took to be run. */
  readonly received: ReadonlySet<string>
  /** Ids of tasks of which the worker noted that they ran, or were not run because they had expired. */
  readonly noted: ReadonlySet<string>
}

const terminal: ReadonlySet<string | undefined> = new Set(['SUCCESS', 'FAILURE', 'REVOKED'])

/**
 * Why a message was not dealt with as it should be, or `undefined` where it was: every message ends as a result or as a
 * dead letter that says why, and where an id can be read, as a result in any case. A pure function.
 */
export function judge({ tag }: Case, reading: Reading, evidence: Evidence): string | undefined {
  const { error, etaMs, id, ignoresResult } = reading
  const { dead, delayed, left, noted, received, states } = evidence
  if (left.has(tag)) return 'it is still in the queue'
  if (delayed.has(tag)) return etaMs === undefined ? 'it is held back, and says nothing of a time' : undefined
  const reason = dead.get(tag) ?? (id === undefined ? undefined : dead.get(id))
  if (reason === '') return 'it is a dead letter that does not say why'
  if (reason === undefined) {
    if (id === undefined) return `it is gone, and cannot be read: ${error?.message}`
    if (error !== undefined && !noted.has(id))
      return `it is gone, and no dead letter, though it cannot be run: ${error.message}`
  }
  if (id === undefined || terminal.has(states.get(id))) return undefined
  // It may have failed before it began: its arguments are not those that the function takes.
  if (ignoresResult && (reason !== undefined || noted.has(id) || received.has(id))) return undefined
  return `its result is ${states.get(id) ?? 'missing'}, which is not the end of a task`
}
