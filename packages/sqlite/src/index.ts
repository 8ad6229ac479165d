export { type BusyRetryOptions, withBusyRetry } from './busy-retry.ts'
export {
  type Database,
  type OpenDatabaseOptions,
  openDatabase,
  type RunResult,
  type SqlParameter,
  type SqlRow,
  type SqlValue,
  type Statement,
} from './database.ts'
export { databasePath } from './database-path.ts'
export {
  DatabaseBusyError,
  DatabaseUnavailableError,
  InvalidDatabaseUrlError,
  type UnavailableReason,
} from './errors.ts'
export { SqliteWrite } from './sqlite-write.ts'
export { type DatabaseWatch, type WatchedDatabase, type WatchOptions, watchDatabase } from './watch-database.ts'
