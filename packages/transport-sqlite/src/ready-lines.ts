import type { Database, Statement } from '@celery/sqlite'
import type { MessageRange } from './claims.ts'
import { prepareAll, type QueueRow } from './topology.ts'

/** A range of `ready` of which the messages up to one are meant. */
export interface ReadyRange extends MessageRange {
  readonly upTo: number
}

/**
 * The messages that wait to be taken, as ranges of ids: for each queue a line per priority, in the order of ids. Knows
 * nothing of what the messages are. Belongs into a transaction.
 */
export class ReadyLines {
  readonly #statements: Readonly<Record<keyof typeof sql, Statement>>

  constructor(database: Database) {
    this.#statements = prepareAll(database, sql)
  }

  add(queue: number, { first, last, rank, redeliveries }: MessageRange): void {
    this.#statements.add.run([queue, rank, first, last, redeliveries])
  }

  /** Adds new messages. Where the id before theirs ends a range that nobody has fetched from, that one grows instead. */
  append(queue: number, rank: number, ids: { readonly first: number; readonly last: number }): void {
    if (this.#statements.grow.run([ids.last, queue, rank, ids.first - 1]).changes > 0) return
    this.add(queue, { ...ids, rank, redeliveries: 0 })
  }

  has(queue: QueueRow): boolean {
    return this.#statements.any.values([queue.id]).length > 0
  }

  count(queue: QueueRow): number {
    return this.#statements.count.values([queue.id])[0]?.[0] as number
  }

  /** The ranges that hold the next `max` messages. Of the last one, `first` to `upTo` belong to them. */
  next(queue: QueueRow, max: number): ReadyRange[] {
    const ranges: ReadyRange[] = []
    let left = max
    for (const row of this.#statements.next.values([queue.id, max])) {
      const [rank, first, last, redeliveries] = row as [number, number, number, number]
      const upTo = Math.min(last, first + left - 1)
      ranges.push({ rank, first, last, redeliveries, upTo })
      left -= upTo - first + 1
      if (left === 0) break
    }
    return ranges
  }

  /** Removes ranges that `next` has given. */
  removeNext(queue: QueueRow, ranges: readonly ReadyRange[]): void {
    const { rank, upTo, last } = ranges[ranges.length - 1] as ReadyRange
    // The comparison of pairs walks the key from its start.
    if (ranges.length > 1 || upTo === last) this.#statements.removeNext.run([queue.id, rank, upTo])
    if (upTo < last) this.#statements.cut.run([upTo + 1, queue.id, rank, last])
  }

  /** Takes messages out, wherever they are: `ids` with their ranges, in the order of the lines. */
  takeOut(queue: QueueRow, ids: readonly (MessageRange & { readonly id: number })[]): void {
    // What is left of the range of the one before, behind it.
    let rest: MessageRange | undefined
    for (const { id, rank, first, last, redeliveries } of ids) {
      if (rest?.last !== last) {
        if (rest !== undefined && rest.first <= rest.last) this.add(queue.id, rest)
        this.#statements.remove.run([queue.id, rank, last])
        rest = { rank, first, last, redeliveries }
      }
      if (rest.first < id) this.add(queue.id, { ...rest, last: id - 1 })
      rest = { ...rest, first: id + 1 }
    }
    if (rest !== undefined && rest.first <= rest.last) this.add(queue.id, rest)
  }

  removeAll(queue: QueueRow): void {
    this.#statements.removeAll.run([queue.id])
  }
}

const sql = {
  add: 'INSERT INTO ready (queue, rank, first, last, redeliveries) VALUES (?, ?, ?, ?, ?)',
  grow: 'UPDATE ready SET last = ? WHERE queue = ? AND rank = ? AND last = ? AND redeliveries = 0',
  any: 'SELECT 1 FROM ready WHERE queue = ? LIMIT 1',
  count: 'SELECT coalesce(sum(last - first + 1), 0) FROM ready WHERE queue = ?',
  next: 'SELECT rank, first, last, redeliveries FROM ready WHERE queue = ? ORDER BY rank, last LIMIT ?',
  removeNext: 'DELETE FROM ready WHERE queue = ? AND (rank, last) <= (?, ?)',
  cut: 'UPDATE ready SET first = ? WHERE queue = ? AND rank = ? AND last = ?',
  remove: 'DELETE FROM ready WHERE queue = ? AND rank = ? AND last = ?',
  removeAll: 'DELETE FROM ready WHERE queue = ?',
} as const
