export { sqlite } from './sqlite.ts'
export { SqliteStore, type SqliteStoreOptions } from './sqlite-store.ts'
