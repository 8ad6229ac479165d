import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BackendUnderTest } from '@celery/backend/testkit'
import { openDatabase, type SqliteWrite, withBusyRetry } from '@celery/sqlite'
import { sqlite } from '../src/index.ts'

/** A folder of its own, removed with what is in it. */
export async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'celery-backend-sqlite-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** A fresh file. Prepared writes are committed through a connection that is not the store's, as a broker does. */
export async function openSqliteStore(): Promise<BackendUnderTest> {
  const folder = await temporaryFolder()
  const file = join(folder.path, 'queue.db')
  const broker = await openDatabase(file)
  return {
    traits: { durable: true, clock: true, prepares: true },
    connect: (options) => sqlite.open(`sqlite:///${file}`, options),
    async commit(writes) {
      await withBusyRetry(() =>
        broker.transaction(() => {
          for (const { statement } of writes) {
            const { sql, params } = statement as SqliteWrite
            broker.prepare(sql).run(params)
          }
        }),
      )
    },
    async [Symbol.asyncDispose]() {
      broker.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}
