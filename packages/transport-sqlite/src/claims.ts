import type { Database, Statement } from '@celery/sqlite'
import type { HeldKey } from './fence.ts'
import { prepareAll } from './topology.ts'

/** Messages whose ids follow each other, in one queue and with one priority. */
export interface MessageRange {
  readonly first: number
  readonly last: number
  readonly rank: number
  readonly redeliveries: number
}

/** What is known of a held message besides its key. */
export interface HeldMessage {
  readonly queue: number
  readonly rank: number
  readonly redeliveries: number
}

/**
 * The messages that were fetched and not settled yet. A message is held under a claim if one of the claim's ranges names
 * it and it still exists. All of it belongs into a transaction.
 */
export class Claims {
  readonly #statements: Readonly<Record<keyof typeof sql, Statement>>

  constructor(database: Database) {
    this.#statements = prepareAll(database, sql)
  }

  /** Holds the ready ranges of a queue up to one of them; their rows in `ready` are the caller's to delete. */
  holdReady(claim: number, queue: number, { rank, last }: MessageRange): void {
    this.#statements.holdReady.run([claim, queue, rank, last])
  }

  hold(claim: number, queue: number, { first, last, rank, redeliveries }: MessageRange): void {
    this.#statements.hold.run([claim, first, last, queue, rank, redeliveries])
  }

  find({ claim, message }: HeldKey): HeldMessage | undefined {
    const row = this.#statements.find.values([claim, message, message])[0]
    if (row === undefined) return undefined
    const [queue, rank, redeliveries] = row as [number, number, number]
    return { queue, rank, redeliveries }
  }

  /**
   * Ends messages for good, which are in the order of their keys and all different, and returns those that were not
   * held. Neighbours are ended together, because calling a statement costs more than deleting a row.
   */
  endAll(keys: readonly HeldKey[]): HeldKey[] {
    const stale: HeldKey[] = []
    let lowest = (keys[0] as HeldKey | undefined)?.message ?? 0
    for (let index = 0; index < keys.length; ) {
      const start = index
      const { claim, message: first } = keys[start] as HeldKey
      let next: HeldKey | undefined
      do {
        index++
        next = keys[index]
      } while (next !== undefined && next.claim === claim && next.message === first + index - start)
      const last = first + index - start - 1
      if (!this.#endRange(claim, first, last)) {
        // Some of them are not held, or they are in two ranges.
        for (const key of keys.slice(start, index)) {
          if (!this.#endRange(claim, key.message, key.message)) stale.push(key)
        }
      }
      if (next?.claim === claim) continue
      this.tidy(claim, lowest, last)
      lowest = next?.message ?? 0
    }
    return stale
  }

  /** Returns false where the message was not held. So do the other methods that take one. */
  end({ claim, message }: HeldKey): boolean {
    if (!this.#endRange(claim, message, message)) return false
    this.tidy(claim, message, message)
    return true
  }

  /** All or none, and none that is in more than one range of the claim. */
  #endRange(claim: number, first: number, last: number): boolean {
    const conditions = [claim, first, last, first, last, last - first + 1]
    return this.#statements.endRange.run([first, last, ...conditions]).changes > 0
  }

  /** Back to its place in its queue. */
  giveBack(key: HeldKey, counted: boolean): boolean {
    const held = this.#leave(key)
    if (held === undefined) return false
    const { queue, rank, redeliveries } = held
    this.#statements.ready.run([queue, rank, key.message, key.message, redeliveries + (counted ? 1 : 0)])
    return true
  }

  park(key: HeldKey, untilMs: number, counted: boolean): boolean {
    const held = this.#leave(key)
    if (held === undefined) return false
    const { queue, rank, redeliveries } = held
    this.#statements.delay.run([untilMs, key.message, queue, rank, redeliveries + (counted ? 1 : 0)])
    return true
  }

  /** Takes one message out of its claim. */
  #leave(key: HeldKey): HeldMessage | undefined {
    const held = this.find(key)
    if (held === undefined) return undefined
    const { claim, message } = key
    this.#statements.splitBehind.run([message, claim, message, message])
    this.#statements.endBefore.run([message, claim, message, message])
    this.tidy(claim, message - 1, message)
    return held
  }

  /** Everything that is held under a range of claims back to its place. */
  giveBackAll(first: number, last: number, counted: boolean): void {
    this.#statements.readyAll.run([counted, first, last])
    this.#statements.deleteAll.run([first, last])
  }

  /**
   * After messages from `first` to `last` have left: of the claim's ranges that hold one of those, removes the ones of
   * which nothing is left, and lets the others end with a message that is.
   */
  tidy(claim: number, first: number, last: number): void {
    this.#statements.deleteEmpty.run([claim, last, first])
    this.#statements.shorten.run([claim, last, first])
  }

  /** Forgets what is held of a queue whose messages are removed. */
  deleteOf(queue: number): void {
    this.#statements.deleteOf.run([queue])
  }

  count(queue: number): number {
    return this.#statements.count.values([queue])[0]?.[0] as number
  }
}

const sql = {
  holdReady: `INSERT INTO claim (number, first, last, queue, rank, redeliveries)
    SELECT ?, first, last, queue, rank, redeliveries FROM ready WHERE queue = ? AND (rank, last) <= (?, ?)`,
  hold: 'INSERT INTO claim (number, first, last, queue, rank, redeliveries) VALUES (?, ?, ?, ?, ?, ?)',
  find: `SELECT queue, rank, redeliveries FROM claim WHERE number = ? AND ? BETWEEN first AND last
    AND EXISTS (SELECT 1 FROM message WHERE id = ?)`,
  // Neither condition depends on the row, so SQLite looks at each once, before it deletes anything.
  endRange: `DELETE FROM message WHERE id BETWEEN ? AND ?
    AND EXISTS (SELECT 1 FROM claim WHERE number = ? AND first <= ? AND last >= ?)
    AND (SELECT count(*) FROM message WHERE id BETWEEN ? AND ?) = ?`,
  ready: 'INSERT INTO ready (queue, rank, first, last, redeliveries) VALUES (?, ?, ?, ?, ?)',
  delay: 'INSERT INTO delayed (until_ms, message, queue, rank, redeliveries) VALUES (?, ?, ?, ?, ?)',
  splitBehind: `INSERT INTO claim (number, first, last, queue, rank, redeliveries)
    SELECT number, ? + 1, last, queue, rank, redeliveries FROM claim WHERE number = ? AND first <= ? AND last > ?`,
  endBefore: 'UPDATE claim SET last = ? - 1 WHERE number = ? AND first <= ? AND last >= ?',
  readyAll: `INSERT INTO ready (queue, rank, first, last, redeliveries)
    SELECT c.queue, c.rank, m.id, m.id, c.redeliveries + ?
    FROM claim c CROSS JOIN message m ON m.id BETWEEN c.first AND c.last WHERE c.number BETWEEN ? AND ?`,
  deleteAll: 'DELETE FROM claim WHERE number BETWEEN ? AND ?',
  deleteEmpty: `DELETE FROM claim WHERE number = ? AND first <= ? AND last >= ?
    AND NOT EXISTS (SELECT 1 FROM message WHERE id BETWEEN first AND last)`,
  shorten: `UPDATE claim SET last = (SELECT max(id) FROM message WHERE id BETWEEN first AND last)
    WHERE number = ? AND first <= ? AND last >= ? AND NOT EXISTS (SELECT 1 FROM message WHERE id = last)`,
  deleteOf: 'DELETE FROM claim WHERE queue = ?',
  count: `SELECT count(*) FROM claim c CROSS JOIN message m ON m.id BETWEEN c.first AND c.last WHERE c.queue = ?`,
} as const
