import { CeleryError } from '@celery/promises'
import { type Database, openDatabase, type Statement } from '@celery/sqlite'
import type { QueuedMessage } from '../check/evidence.ts'

/**
 * Looks into the broker's file from outside. It reads the tables themselves, because the broker tells nobody what others
 * hold, and a checker should not have to believe it anyway.
 */
export class BrokerView implements Disposable {
  readonly #database: Database
  readonly #held: Statement
  readonly #messages: Statement

  private constructor(database: Database) {
    this.#database = database
    this.#held = database.prepare(heldSql)
    this.#messages = database.prepare(messagesSql)
  }

  /** The file must have its tables already. */
  static async open(path: string): Promise<BrokerView> {
    return new BrokerView(await openDatabase(path))
  }

  /** Tasks whose messages are delivered under one of these sessions and not settled. */
  heldBy(sessions: readonly string[]): string[] {
    return this.#held.values([JSON.stringify(sessions)]).map(([task]) => String(task))
  }

  /** Whether somebody could write now; waits a little for those who do. */
  isWritable(): boolean {
    try {
      this.#database.transaction(() => {})
      return true
    } catch (error) {
      if (CeleryError.is(error, 'ERR_CELERY_DATABASE_BUSY')) return false
      throw error
    }
  }

  /** Every message that is in the file. */
  messages(): QueuedMessage[] {
    return this.#messages
      .values([])
      .map(([task, queue, place, reason]) =>
        String(queue).endsWith('.dead')
          ? { task: String(task), place: 'dead', reason: String(reason) }
          : { task: String(task), place: place as QueuedMessage['place'] },
      )
  }

  [Symbol.dispose](): void {
    this.#database.close()
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
