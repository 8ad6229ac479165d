export type { AtomicWrite } from '@celery/protocol'
export { BackendRegistry, type LoadBackend } from './backend-registry.ts'
export {
  BackendClosedError,
  BackendUnavailableError,
  InvalidTaskIdError,
  ResultTooLargeError,
  UnknownBackendError,
  UnreadableRecordError,
} from './errors.ts'
export { type KeyValueBackendOptions, keyValueBackend } from './key-value-backend.ts'
export type { KeyValueEntry, KeyValueStore, KeyValueWrite, StateWrite } from './key-value-store.ts'
export { mayReplace } from './may-replace.ts'
export type {
  BackendDriver,
  ChordCompletion,
  ChordCounter,
  ChordOptions,
  ChordPart,
  OpenBackendOptions,
  ResultBackend,
  ResultWrite,
  StoredRecord,
} from './result-backend.ts'
export { globalKeyPrefix } from './task-key.ts'
