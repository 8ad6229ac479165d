export type { KeyValueEntry, KeyValueStore, KeyValueWrite, StateWrite } from './key-value-store.ts'
export { mayReplace } from './may-replace.ts'
export type {
  BackendDriver,
  ChordCompletion,
  ChordCounter,
  ChordPart,
  OpenBackendOptions,
  ResultBackend,
  ResultWrite,
  StoredRecord,
} from './result-backend.ts'
