import { join } from 'node:path'
import { sqlite } from '@celery/backend-sqlite'
import { type Database, openDatabase, type Statement } from '@celery/sqlite'
import { deadLetterQueue } from '@celery/transport'
import { openSqliteBroker } from '@celery/transport-sqlite'
import type { Case } from '../cases.ts'
import { readCopy } from './dead-copy.ts'
import type { DeadLetters, FuzzBroker, QueueContents, StoredRecord } from './fuzz-broker.ts'

/** The embedded broker in a file of that folder. */
export async function openSqliteFuzzBroker(directory: string): Promise<FuzzBroker> {
  const path = join(directory, 'queue.db')
  const url = `sqlite:///${path}`
  const broker = await openSqliteBroker({ path })
  return new SqliteFuzzBroker({ url, broker, results: await sqlite.open(url), database: await openDatabase(path) })
}

interface Parts {
  readonly url: string
  readonly broker: Awaited<ReturnType<typeof openSqliteBroker>>
  readonly results: Awaited<ReturnType<typeof sqlite.open>>
  readonly database: Database
}

class SqliteFuzzBroker implements FuzzBroker {
  readonly url: string
  readonly #parts: Parts
  readonly #contents: Statement

  constructor(parts: Parts) {
    this.url = parts.url
    this.#parts = parts
    this.#contents = parts.database.prepare(contentsSql)
  }

  async put(cases: readonly Case[]): Promise<void> {
    // Bytes, too: other producers write what they like, and the file takes it.
    await this.#parts.broker.put(
      cases.map(({ steps: _, payload, ...rest }) => ({ ...rest, queue: 'celery', payload: payload as string })),
    )
  }

  /** Reads the tables, because the broker tells nobody what others hold. */
  async contents(): Promise<QueueContents> {
    const delayed = new Set<string>()
    const left = new Set<string>()
    for (const [tag, isDelayed] of this.#contents.values([])) (isDelayed === 1 ? delayed : left).add(String(tag))
    return { delayed, left }
  }

  async takeDeadLetters(): Promise<DeadLetters> {
    const { broker } = this.#parts
    const reasons = new Map<string, string>()
    const queue = deadLetterQueue('celery')
    const { ready: count } = await broker.declareQueue({ name: queue })
    for (let left = count; left > 0; ) {
      const deliveries = await broker.fetch([queue], { max: left, signal: AbortSignal.timeout(30_000) })
      for (const { deadReason, payload, tag } of deliveries) {
        const { id, reason = deadReason ?? '' } = readCopy(payload)
        reasons.set(tag, reason)
        if (id !== undefined) reasons.set(id, reason)
      }
      await broker.settle(deliveries.map((delivery) => ({ delivery })))
      left -= deliveries.length
    }
    return { count, reasons }
  }

  async records(ids: readonly string[]): Promise<ReadonlyMap<string, StoredRecord>> {
    const records = await this.#parts.results.fetch([...ids])
    return new Map(
      [...records].map(([id, { state, record }]) => [id, { state: String(state), text: String(Buffer.from(record)) }]),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { broker, database, results } = this.#parts
    database.close()
    await Promise.all([broker.close(), results.close()])
  }
}

const contentsSql = `
  SELECT tag, EXISTS (SELECT 1 FROM delayed WHERE message = m.id)
  FROM message m JOIN queue q ON q.id = m.queue WHERE q.name = 'celery'`
