export { AsyncResult, type AsyncResultOptions } from './async-result.ts'
export { type EagerOutcome, EagerResult } from './eager-result.ts'
export {
  AbortUnavailableError,
  GroupTupleError,
  ResultReaderClosedError,
  ResultTimeoutError,
  RevokeUnavailableError,
  type SentCall,
} from './errors.ts'
export type { GetOptions } from './get-options.ts'
export { resultFromTuple } from './result-from-tuple.ts'
export { ResultReader, type ResultWatch } from './result-reader.ts'
export type { ResultSource, RevokeOptions, Revoker } from './result-source.ts'
export type { TaskMeta } from './task-meta.ts'
export type { WaitOptions } from './wait-for-result.ts'
