import type { Database, Statement } from '@celery/sqlite'
import { type Delivery, deadLetterQueue } from '@celery/transport'
import type { QueueMessage } from '@celery/transport/virtual'
import { toFence } from './fence.ts'
import { type Inserted, insertIgnoringKnown, type MessageRow } from './insert-messages.ts'
import { prepareAll, type QueueRow, type Topology } from './topology.ts'

/** What is known of a held message besides its number. */
export interface HeldRow {
  readonly message: number
  readonly queue: number
  readonly rank: number
  readonly redeliveries: number
}

/**
 * Moves messages between `ready`, `delayed` and `held`. All of it is synchronous and belongs into a transaction that
 * has refreshed the topology.
 */
export class MessageStore {
  readonly #topology: Topology
  readonly #statements: Readonly<Record<keyof typeof sql, Statement>>
  readonly #insert: (rows: readonly MessageRow[]) => Inserted

  constructor(database: Database, topology: Topology) {
    this.#topology = topology
    this.#statements = prepareAll(database, sql)
    this.#insert = insertIgnoringKnown(database)
  }

  /** Adds messages in their order, except those whose tag is in their queue already. */
  put(messages: readonly QueueMessage[], nowMs: number): void {
    let delays = false
    const rows = messages.map((message): MessageRow => {
      const queue = this.#topology.ensureQueue(message.queue)
      const notBeforeMs = message.notBeforeMs !== undefined && message.notBeforeMs > nowMs ? message.notBeforeMs : null
      if (notBeforeMs !== null) delays = true
      const dropAtMs = queue.messageTtlMs === undefined ? null : (notBeforeMs ?? nowMs) + queue.messageTtlMs
      return [queue.id, rankOf(message.priority), notBeforeMs, dropAtMs, message.tag, null, message.payload]
    })
    const { firstId, count } = this.#insert(rows)
    if (count === 0) return
    this.#statements.lineUpNew.run([firstId])
    if (delays) this.#statements.delayNew.run([firstId])
  }

  /** When the first delayed message is due. */
  nextDueMs(): number | undefined {
    return (this.#statements.nextDue.values([])[0]?.[0] as number | undefined) ?? undefined
  }

  /** Makes ready what is due. In portions, so that a million at once do not stop the event loop. */
  releaseDue(nowMs: number): void {
    const due = this.nextDueMs()
    if (due === undefined || due > nowMs) return
    const last = this.#statements.lastDue.values([nowMs, duePortion])[0]
    if (last === undefined) return
    this.#statements.readyDue.run(last)
    this.#statements.deleteDue.run(last)
  }

  hasReady(queue: QueueRow): boolean {
    return this.#statements.anyReady.values([queue.id]).length > 0
  }

  /**
   * Moves up to `max` messages of one queue from ready to held, under numbers that `reserve` gives out: it is told how
   * many, and returns the first. Messages that have outlived the queue's limit are removed instead.
   */
  take(queue: QueueRow, max: number, reserve: (count: number) => number, nowMs: number): Delivery[] {
    const mortal = queue.messageTtlMs !== undefined
    const statement = mortal ? this.#statements.firstMortal : this.#statements.first
    const deliveries: Delivery[] = []
    for (let removed = 0; removed < mostRemoved; ) {
      const rows = statement.values([queue.id, max - deliveries.length])
      const last = rows.at(-1)
      if (last === undefined) break
      const numbers = this.#hold(queue, rows as number[][], reserve)
      const expired: number[] = []
      for (let index = 0; index < rows.length; index++) {
        const row = rows[index] as unknown[]
        const number = numbers(index)
        if (mortal && ((row[5] as number | null) ?? Number.POSITIVE_INFINITY) <= nowMs) expired.push(number)
        else deliveries.push(toDelivery(queue.name, number, row))
      }
      if (expired.length === 0) break
      this.ack(expired)
      removed += expired.length
      if (deliveries.length >= max) break
    }
    return deliveries
  }

  /** Moves the rows just read from ready to held and returns the number of the delivery of each. */
  #hold(queue: QueueRow, rows: readonly number[][], reserve: (count: number) => number): (index: number) => number {
    const [rank, message] = rows[rows.length - 1] as [number, number]
    let lowest = message
    let highest = message
    for (const row of rows) {
      const id = row[1] as number
      if (id < lowest) lowest = id
      else if (id > highest) highest = id
    }
    const span = highest - lowest + 1
    const dense = span <= 4 * rows.length + 64
    const first = reserve(dense ? span : rows.length)
    if (dense) this.#statements.holdDense.run([first - lowest, queue.id, rank, message])
    else this.#statements.hold.run([first, queue.id, rank, message])
    this.#statements.deleteFirst.run([queue.id, rank, message])
    return dense ? (index) => first - lowest + ((rows[index] as number[])[1] as number) : (index) => first + index
  }

  /** Those of the deliveries that are still held, by their number. */
  held(deliveries: readonly number[]): Map<number, HeldRow> {
    const rows = this.#statements.held.values([JSON.stringify(deliveries)])
    const found = new Map<number, HeldRow>()
    for (const [delivery, message, queue, rank, redeliveries] of rows as number[][]) {
      found.set(delivery as number, { message, queue, rank, redeliveries } as HeldRow)
    }
    return found
  }

  /** Ends held messages for good. */
  ack(deliveries: readonly number[]): void {
    const json = JSON.stringify(deliveries)
    this.#statements.deleteHeldMessages.run([json])
    this.#statements.deleteHeld.run([json])
  }

  /**
   * As `ack`, if all of them are held and no number comes twice. Else it returns false when it has deleted the messages
   * of those that are held; `held` still tells which they are, and `ack` with them completes it.
   */
  ackAll(deliveries: readonly number[]): boolean {
    const json = JSON.stringify(deliveries)
    if (this.#statements.deleteHeldMessages.run([json]).changes !== deliveries.length) return false
    this.#statements.deleteHeld.run([json])
    return true
  }

  /** Back to its place in its queue. */
  giveBack(delivery: number, row: HeldRow, counted: boolean): void {
    this.#statements.ready.run([row.queue, row.rank, row.message, row.redeliveries + (counted ? 1 : 0)])
    this.#statements.deleteHeld.run([JSON.stringify([delivery])])
  }

  /** Everything in a range of numbers back to its place. */
  giveBackRange(first: number, last: number, counted: boolean): number {
    this.#statements.readyRange.run([counted, first, last])
    return this.#statements.deleteHeldRange.run([first, last]).changes
  }

  park(delivery: number, row: HeldRow, untilMs: number): void {
    this.#statements.delay.run([untilMs, row.message, row.queue, row.rank, row.redeliveries])
    this.#statements.deleteHeld.run([JSON.stringify([delivery])])
  }

  /** Moves a held message to the end of its dead-letter queue, which keeps the newest 10,000 for seven days. */
  bury(delivery: number, row: HeldRow, reason: string, nowMs: number): void {
    const name = this.#topology.queueName(row.queue)
    if (name !== undefined) {
      const dead = this.#topology.declareQueue(
        { name: deadLetterQueue(name), messageTtlMs: deadMessageTtlMs },
        '',
        nowMs,
      )
      const dropAtMs = nowMs + (dead.messageTtlMs ?? deadMessageTtlMs)
      // Text cannot hold a NUL in SQLite, and a reason may quote anything.
      const text = reason.replaceAll('\0', '\uFFFD')
      const copied = this.#statements.copyDead.run([dead.id, dropAtMs, text, row.message])
      if (copied.changes > 0) this.#statements.ready.run([dead.id, row.rank, copied.lastInsertRowid, 0])
      this.#trim(dead)
    }
    this.ack([delivery])
  }

  /** Removes the ready messages delivered first until `maxDeadMessages` are left. */
  #trim(queue: QueueRow): void {
    const surplus = this.#count('countReady', queue) - maxDeadMessages
    if (surplus > 0) this.purgePortion(queue, surplus)
  }

  /** Removes up to `max` ready messages and returns how many it found. */
  purgePortion(queue: QueueRow, max: number): number {
    const rows = this.#statements.firstIds.values([queue.id, max])
    const last = rows.at(-1)
    if (last === undefined) return 0
    this.#statements.deleteMessages.run([JSON.stringify(rows.map((row) => row[1]))])
    this.#statements.deleteFirst.run([queue.id, last[0] as number, last[1] as number])
    return rows.length
  }

  /** Removes all messages of a queue, wherever they are. */
  removeAll(queue: QueueRow): void {
    for (const name of ['deleteReadyOf', 'deleteDelayedOf', 'deleteHeldOf', 'deleteMessagesOf'] as const) {
      this.#statements[name].run([queue.id])
    }
  }

  /** Removes ready messages that have outlived their queue's limit. */
  dropExpired(queue: QueueRow, nowMs: number): void {
    if (queue.messageTtlMs === undefined) return
    const ids = this.#statements.expired.values([queue.id, nowMs]).map((row) => row[0])
    if (ids.length === 0) return
    this.#statements.deleteReadyIds.run([queue.id, JSON.stringify(ids)])
    this.#statements.deleteMessages.run([JSON.stringify(ids)])
  }

  counts(queue: QueueRow): { readonly ready: number; readonly delayed: number; readonly held: number } {
    return {
      ready: this.#count('countReady', queue),
      delayed: this.#count('countDelayed', queue),
      held: this.#count('countHeld', queue),
    }
  }

  #count(name: 'countReady' | 'countDelayed' | 'countHeld', queue: QueueRow): number {
    return this.#statements[name].values([queue.id])[0]?.[0] as number
  }
}

const duePortion = 1_000
/** Outlived messages removed in one fetch; the next goes on. */
const mostRemoved = 1_000
const maxDeadMessages = 10_000
const deadMessageTtlMs = 7 * 24 * 3_600_000

function rankOf(priority: number): number {
  return 9 - priority
}

function toDelivery(queue: string, number: number, row: readonly unknown[]): Delivery {
  const tag = row[3] as string
  const fence = toFence(number, tag)
  const delivery = { queue, tag, fence, redeliveries: row[2] as number, payload: row[4] as string }
  const deadReason = row[6]
  return typeof deadReason === 'string' ? { ...delivery, deadReason } : delivery
}

const sql = {
  lineUpNew: `INSERT INTO ready (queue, rank, message, redeliveries)
    SELECT queue, rank, id, 0 FROM message WHERE id >= ? AND not_before_ms IS NULL`,
  delayNew: `INSERT INTO delayed (until_ms, message, queue, rank, redeliveries)
    SELECT not_before_ms, id, queue, rank, 0 FROM message WHERE id >= ? AND not_before_ms IS NOT NULL`,

  nextDue: 'SELECT until_ms FROM delayed ORDER BY until_ms LIMIT 1',
  lastDue: `SELECT until_ms, message FROM (
    SELECT until_ms, message FROM delayed WHERE until_ms <= ? ORDER BY until_ms, message LIMIT ?
  ) ORDER BY until_ms DESC, message DESC LIMIT 1`,
  readyDue: `INSERT INTO ready (queue, rank, message, redeliveries)
    SELECT queue, rank, message, redeliveries FROM delayed WHERE (until_ms, message) <= (?, ?)`,
  deleteDue: 'DELETE FROM delayed WHERE (until_ms, message) <= (?, ?)',

  anyReady: 'SELECT 1 FROM ready WHERE queue = ? LIMIT 1',
  first: `SELECT r.rank, r.message, r.redeliveries, m.tag, m.payload
    FROM ready r JOIN message m ON m.id = r.message WHERE r.queue = ? ORDER BY r.rank, r.message LIMIT ?`,
  firstMortal: `SELECT r.rank, r.message, r.redeliveries, m.tag, m.payload, m.drop_at_ms, m.dead_reason
    FROM ready r JOIN message m ON m.id = r.message WHERE r.queue = ? ORDER BY r.rank, r.message LIMIT ?`,
  firstIds: 'SELECT rank, message FROM ready WHERE queue = ? ORDER BY rank, message LIMIT ?',
  // The comparison of pairs walks the key from its start up to the last row that was read. Numbering rows takes as
  // long as moving them, so where ids lie close together the number of a delivery is its message's id, shifted.
  holdDense: `INSERT INTO held (delivery, message, queue, rank, redeliveries)
    SELECT ? + message, message, queue, rank, redeliveries FROM ready WHERE queue = ? AND (rank, message) <= (?, ?)`,
  hold: `INSERT INTO held (delivery, message, queue, rank, redeliveries)
    SELECT ? - 1 + row_number() OVER (ORDER BY rank, message), message, queue, rank, redeliveries
    FROM ready WHERE queue = ? AND (rank, message) <= (?, ?)`,
  deleteFirst: 'DELETE FROM ready WHERE queue = ? AND (rank, message) <= (?, ?)',

  held: `SELECT h.delivery, h.message, h.queue, h.rank, h.redeliveries
    FROM json_each(?) j CROSS JOIN held h ON h.delivery = j.value`,
  deleteHeldMessages: `DELETE FROM message WHERE id IN (
    SELECT h.message FROM json_each(?) j CROSS JOIN held h ON h.delivery = j.value)`,
  deleteMessages: 'DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))',
  deleteHeld: 'DELETE FROM held WHERE delivery IN (SELECT value FROM json_each(?))',
  ready: 'INSERT INTO ready (queue, rank, message, redeliveries) VALUES (?, ?, ?, ?)',
  readyRange: `INSERT INTO ready (queue, rank, message, redeliveries)
    SELECT queue, rank, message, redeliveries + ? FROM held WHERE delivery BETWEEN ? AND ?`,
  deleteHeldRange: 'DELETE FROM held WHERE delivery BETWEEN ? AND ?',
  delay: 'INSERT INTO delayed (until_ms, message, queue, rank, redeliveries) VALUES (?, ?, ?, ?, ?)',
  copyDead: `INSERT OR IGNORE INTO message (queue, rank, drop_at_ms, tag, dead_reason, payload)
    SELECT ?, rank, ?, tag, ?, payload FROM message WHERE id = ?`,

  expired: `SELECT r.message FROM ready r JOIN message m ON m.id = r.message
    WHERE r.queue = ? AND m.drop_at_ms <= ?`,
  deleteReadyIds: `DELETE FROM ready WHERE queue = ? AND message IN (SELECT value FROM json_each(?))`,
  deleteReadyOf: 'DELETE FROM ready WHERE queue = ?',
  deleteDelayedOf: 'DELETE FROM delayed WHERE queue = ?',
  deleteHeldOf: 'DELETE FROM held WHERE queue = ?',
  deleteMessagesOf: 'DELETE FROM message WHERE queue = ?',
  countReady: 'SELECT count(*) FROM ready WHERE queue = ?',
  countDelayed: 'SELECT count(*) FROM delayed WHERE queue = ?',
  countHeld: 'SELECT count(*) FROM held WHERE queue = ?',
} as const
