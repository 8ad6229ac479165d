import { type BackendDriver, globalKeyPrefix, keyValueBackend } from '@celery/backend'
import { databasePath } from '@celery/sqlite'
import { SqliteStore } from './sqlite-store.ts'

/**
 * Result store in one local file, used by any number of processes: `sqlite:////srv/app/queue.db`. The same file as the
 * embedded broker's makes a task's result and its acknowledgement one transaction. `open` throws InvalidDatabaseUrlError
 * for a URL that names no file.
 */
export const sqlite: BackendDriver = {
  name: 'sqlite',
  async open(url, options) {
    options?.signal?.throwIfAborted()
    const { transportOptions, now, signal } = options ?? {}
    const store = await SqliteStore.open(databasePath(url), {
      now,
      signal,
      lockTimeoutMs: milliseconds(transportOptions, 'lockTimeoutMs'),
      cleanupIntervalMs: milliseconds(transportOptions, 'cleanupIntervalMs'),
    })
    return keyValueBackend(store, { keyPrefix: globalKeyPrefix(transportOptions) })
  },
}

function milliseconds(options: Readonly<Record<string, unknown>> | undefined, name: string): number | undefined {
  const value = options?.[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !(value >= 0))
    throw new TypeError(`${name} must be a number of milliseconds, not ${String(value)}`)
  return value
}
