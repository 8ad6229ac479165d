import { InvalidResultRecordError } from './errors.ts'
import { isName } from './guards.ts'

/** A result by reference, in its workflow: what Celery calls its tuple, `[[id, parent], children]`. */
export interface ResultReference {
  readonly id: string
  /** The result of the step before. */
  readonly parent: ResultReference | null
  /** The members of a group; `null` for the result of a single task. */
  readonly children: readonly ResultReference[] | null
}

/** The same for the wire. */
export type ResultTuple = readonly [readonly [id: string, parent: ResultTuple | null], readonly ResultTuple[] | null]

/** References inside each other, at most. */
const MAX_DEPTH = 100

export function encodeResultTuple({ id, parent, children }: ResultReference): ResultTuple {
  return [
    [id, parent === null ? null : encodeResultTuple(parent)],
    children === null ? null : children.map(encodeResultTuple),
  ]
}

/**
 * @param field - Where it stands, for the error.
 * @throws InvalidResultRecordError
 */
export function decodeResultTuple(value: unknown, field: string = 'result tuple'): ResultReference {
  return decode(value, field, 0)
}

function decode(value: unknown, field: string, depth: number): ResultReference {
  const [head, members] = pair(value, field, depth)
  const [id, parent] = pair(head, `${field}[0]`, depth)
  if (!isName(id)) throw new InvalidResultRecordError(`${field}[0][0]`, 'not an id')
  if (members !== null && !Array.isArray(members)) throw new InvalidResultRecordError(`${field}[1]`, 'not a list')
  return {
    id,
    parent: parent === null ? null : decode(parent, `${field}[0][1]`, depth + 1),
    children:
      members === null ? null : members.map((member, index) => decode(member, `${field}[1][${index}]`, depth + 1)),
  }
}

function pair(value: unknown, field: string, depth: number): readonly [unknown, unknown] {
  if (depth > MAX_DEPTH) throw new InvalidResultRecordError('result tuple', `nested deeper than ${MAX_DEPTH}`)
  if (Array.isArray(value) && value.length === 2) return value as [unknown, unknown]
  throw new InvalidResultRecordError(field, 'not a pair')
}
