import { type ConfirmedTask, isTerminal, type StoredState } from './evidence.ts'

/**
 * What is wrong with the results: a final state that did not stay, a result that no attempt of the task can have had, an
 * outcome that the task does not have. `undefined` where all is well. `mayFail`: nobody is going to run the task.
 */
export function resultFault(
  task: ConfirmedTask,
  sightings: readonly StoredState[],
  record: StoredState | undefined,
  mayFail: boolean,
): string | undefined {
  const gone: StoredState = { state: 'no record', attempt: undefined }
  const states = [...sightings, record ?? gone]
  for (let index = 1; index < states.length; index++) {
    const [before, after] = [states[index - 1] as StoredState, states[index] as StoredState]
    if (!mayFollow(before, after)) return `${describe(before)} became ${describe(after)}`
  }
  if (record === undefined || !isTerminal(record.state)) return undefined
  if (record.state === 'FAILURE' && mayFail) return undefined
  if (record.state !== task.expectedState) return `it ended in ${describe(record)}, not in ${task.expectedState}`
  const source = task.attempts.find((attempt) => attempt.id === record.attempt)
  if (source?.endTime === undefined) return `its result ${describe(record)} comes from no attempt that ended`
  return undefined
}

/** As the table of `@celery/backend`: final is final, but for a FAILURE that a further run turned into a SUCCESS. */
function mayFollow(before: StoredState, after: StoredState): boolean {
  if (!isTerminal(before.state)) return true
  if (before.state === 'FAILURE' && after.state === 'SUCCESS') return true
  return before.state === after.state && before.attempt === after.attempt
}

function describe({ state, attempt, error }: StoredState): string {
  const what = error === undefined ? state : `${state} (${error})`
  return attempt === undefined ? what : `${what} of attempt ${attempt}`
}
