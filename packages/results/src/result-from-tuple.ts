import { decodeResultTuple, type ResultReference } from '@celery/protocol'
import { AsyncResult } from './async-result.ts'
import { GroupTupleError } from './errors.ts'
import type { ResultReader } from './result-reader.ts'

/**
 * Rebuilds a result, with its parents, from `asTuple()`.
 *
 * @throws InvalidResultRecordError if it is not a result tuple
 * @throws GroupTupleError if it, or a parent, is a group
 */
export function resultFromTuple<T = unknown>(tuple: unknown, reader: ResultReader): AsyncResult<T> {
  return fromReference<T>(decodeResultTuple(tuple), reader)
}

function fromReference<T>({ id, parent, children }: ResultReference, reader: ResultReader): AsyncResult<T> {
  if (children !== null) throw new GroupTupleError(id, children.length)
  return new AsyncResult<T>(id, reader, parent === null ? {} : { parent: fromReference(parent, reader) })
}
