export { type BusyRetryOptions, withBusyRetry } from './busy-retry.ts'
export { type Database, type OpenDatabaseOptions, openDatabase } from './database.ts'
export { databasePath } from './database-path.ts'
export {
  DatabaseBusyError,
  DatabaseUnavailableError,
  InvalidDatabaseUrlError,
  type UnavailableReason,
} from './errors.ts'
export { SqliteWrite } from './sqlite-write.ts'
export type { RunResult, SqlParameter, SqlRow, SqlValue, Statement } from './statement.ts'
export { storedText } from './stored-text.ts'
export { type DatabaseWatch, type WatchedDatabase, type WatchOptions, watchDatabase } from './watch-database.ts'
