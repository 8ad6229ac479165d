import { join } from 'node:path'
import { sqlite } from '@celery/backend-sqlite'
import { CeleryError } from '@celery/promises'
import { type Database, openDatabase, type Statement, withBusyRetry } from '@celery/sqlite'
import { openSqliteBroker } from '@celery/transport-sqlite'
import type { QueuedMessage, StoredState } from '../check/evidence.ts'
import { readRecord } from '../check/read-record.ts'
import type { Addresses, Testbed } from './testbed.ts'

/** The embedded broker: one file, or two where results are kept apart. Nobody can be cut off from it. */
export async function openSqliteTestbed(options: {
  readonly directory: string
  readonly separateResults: boolean
}): Promise<Testbed> {
  const brokerPath = join(options.directory, 'queue.db')
  const resultPath = options.separateResults ? join(options.directory, 'results.db') : brokerPath
  // Makes the file and its tables, which those who only look expect to find.
  await (await openSqliteBroker({ path: brokerPath })).close()
  const results = await sqlite.open(url(resultPath))
  const database = await openDatabase(brokerPath)
  return new SqliteTestbed(brokerPath, resultPath, database, results)
}

function url(path: string): string {
  return `sqlite:///${path}`
}

/**
 * Looks into the broker's file from outside. It reads the tables themselves, because the broker tells nobody what others
 * hold, and a checker should not have to believe it anyway.
 */
class SqliteTestbed implements Testbed {
  readonly shares = [
    ['child', 0.4],
    ['worker', 0.2],
    ['client', 0.2],
    ['pause', 0.2],
  ] as const
  readonly network = undefined
  readonly #brokerPath: string
  readonly #resultPath: string
  readonly #database: Database
  readonly #held: Statement
  readonly #messages: Statement
  readonly #results: Awaited<ReturnType<typeof sqlite.open>>

  constructor(
    brokerPath: string,
    resultPath: string,
    database: Database,
    results: Awaited<ReturnType<typeof sqlite.open>>,
  ) {
    this.#brokerPath = brokerPath
    this.#resultPath = resultPath
    this.#database = database
    this.#held = database.prepare(heldSql)
    this.#messages = database.prepare(messagesSql)
    this.#results = results
  }

  addresses(): Addresses {
    return { broker: url(this.#brokerPath), results: url(this.#resultPath) }
  }

  async heldBy(sessions: readonly string[]): Promise<string[]> {
    return this.#held.values([JSON.stringify(sessions)]).map(([task]) => String(task))
  }

  async messages(): Promise<QueuedMessage[]> {
    return this.#messages
      .values([])
      .map(([task, queue, place, reason]) =>
        String(queue).endsWith('.dead')
          ? { task: String(task), place: 'dead', reason: String(reason) }
          : { task: String(task), place: place as QueuedMessage['place'] },
      )
  }

  async isWritable(): Promise<boolean> {
    try {
      this.#database.transaction(() => {})
      return true
    } catch (error) {
      if (CeleryError.is(error, 'ERR_CELERY_DATABASE_BUSY')) return false
      throw error
    }
  }

  async results(tasks: Iterable<string>): Promise<Map<string, StoredState>> {
    const states = new Map<string, StoredState>()
    for (const [task, { state, record }] of await this.#results.fetch([...tasks])) {
      if (state !== undefined) states.set(task, { ...readRecord(String(record)), state })
    }
    return states
  }

  async integrity(): Promise<string[]> {
    const problems: string[] = []
    for (const path of new Set([this.#brokerPath, this.#resultPath])) {
      const database = await openDatabase(path)
      problems.push(...database.integrityCheck())
      database.close()
    }
    return problems
  }

  async overwriteResult(task: string, record: string): Promise<void> {
    const database = await openDatabase(this.#resultPath)
    try {
      const overwrite = database.prepare(
        "UPDATE celery_results SET state = 'SUCCESS', value = ? WHERE key = 'celery-task-meta-' || ?",
      )
      await withBusyRetry(() => database.transaction(() => overwrite.run([record, task])))
    } finally {
      database.close()
    }
  }

  async copyHeld(task: string): Promise<void> {
    const row = this.#database
      .prepare(
        `SELECT q.name, c.rank, m.payload FROM claim c
          JOIN message m ON m.id BETWEEN c.first AND c.last JOIN queue q ON q.id = m.queue
          WHERE json_extract(m.payload, '$.headers.id') = ? LIMIT 1`,
      )
      .values([task])[0]
    if (row === undefined) return
    const [queue, rank, payload] = row
    await using broker = await openSqliteBroker({ path: this.#brokerPath })
    const copy = { queue: String(queue), priority: 9 - Number(rank), payload: String(payload) }
    await broker.put([{ ...copy, tag: `copy-of-${task}-${Date.now()}` }])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database.close()
    await this.#results.close()
  }
}

/** As in `@celery/transport-sqlite`: the number of a claim begins with its owner's. */
const claimsPerOwner = 2 ** 20

const heldSql = `
  SELECT json_extract(m.payload, '$.headers.id')
  FROM owner o
  JOIN claim c ON c.number BETWEEN o.id * ${claimsPerOwner} AND (o.id + 1) * ${claimsPerOwner} - 1
  JOIN message m ON m.id BETWEEN c.first AND c.last
  WHERE o.session IN (SELECT value FROM json_each(?))`

const messagesSql = `
  SELECT json_extract(m.payload, '$.headers.id'), q.name, CASE
    WHEN EXISTS (SELECT 1 FROM claim WHERE m.id BETWEEN first AND last) THEN 'held'
    WHEN EXISTS (SELECT 1 FROM ready WHERE queue = m.queue AND m.id BETWEEN first AND last) THEN 'ready'
    WHEN EXISTS (SELECT 1 FROM delayed WHERE message = m.id) THEN 'delayed'
    ELSE 'nowhere' END, m.dead_reason
  FROM message m LEFT JOIN queue q ON q.id = m.queue`
