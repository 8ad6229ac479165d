import type { Database } from '@celery/sqlite'

/**
 * One row per key. `stamp` is another number after every write, so that a watcher sees a change without reading the
 * value. `value` comes last and has no type: text, or bytes where the text holds a NUL. The table has a rowid because
 * SQLite keeps long rows badly in a table ordered by key.
 */
const CREATE_TABLE = `
  CREATE TABLE celery_results (
    key TEXT NOT NULL PRIMARY KEY,
    state TEXT,
    expires_at INTEGER,
    stamp INTEGER NOT NULL,
    value NOT NULL
  )`

const CREATE_INDEX = 'CREATE INDEX celery_results_expiry ON celery_results (expires_at) WHERE expires_at IS NOT NULL'

/** Parameters: key, state, expires at, value. 52 bits, because larger integers do not survive the way to JavaScript. */
export const SET = `
  INSERT INTO celery_results (key, state, expires_at, stamp, value) VALUES (?, ?, ?, random() >> 12, ?)
  ON CONFLICT (key) DO UPDATE SET
    state = excluded.state, expires_at = excluded.expires_at, stamp = excluded.stamp, value = excluded.value`

/** As SET, where `mayReplace` of `@celery/backend` allows it or the stored row has expired. Parameters: those of SET, now. */
export const PUT_UNLESS_TERMINAL: string = `${SET}
  WHERE celery_results.state IS NULL
    OR celery_results.state IN ('PENDING', 'RECEIVED', 'STARTED', 'RETRY', 'REJECTED', 'IGNORED')
    OR (celery_results.state NOT IN ('SUCCESS', 'FAILURE', 'REVOKED') AND excluded.state <> 'STARTED')
    OR (celery_results.state = 'FAILURE' AND excluded.state = 'SUCCESS')
    OR celery_results.expires_at <= ?`

/** Parameters: key, now. */
export const GET = `
  SELECT key, state, CAST(value AS BLOB), typeof(value) FROM celery_results WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)`

/** Parameters: keys as a JSON array, now. */
export const GET_MANY = `
  SELECT key, state, CAST(value AS BLOB), typeof(value) FROM celery_results
  WHERE key IN (SELECT value FROM json_each(?)) AND (expires_at IS NULL OR expires_at > ?)`

/** Parameter: keys as a JSON array. */
export const STAMPS = 'SELECT key, stamp FROM celery_results WHERE key IN (SELECT value FROM json_each(?))'

/** Parameter: keys as a JSON array. */
export const DELETE = 'DELETE FROM celery_results WHERE key IN (SELECT value FROM json_each(?))'

/** Parameters: now, how many at most. */
export const DELETE_EXPIRED = `
  DELETE FROM celery_results
  WHERE rowid IN (SELECT rowid FROM celery_results WHERE expires_at <= ? LIMIT ?)`

/** Makes the table if it is not there. Takes the file's write lock in that case only. */
export function ensureSchema(database: Database): void {
  const exists = database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'celery_results'")
  if (exists.values([]).length > 0) return
  database.transaction(() => {
    // Another process may have made it while we waited for the lock.
    if (exists.values([]).length > 0) return
    database.exec(CREATE_TABLE)
    database.exec(CREATE_INDEX)
  })
}
