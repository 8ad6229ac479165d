import { type Database, type SqlValue, type Statement, storedText } from '@celery/sqlite'
import { type Delivery, deadLetterLimits } from '@celery/transport'
import type { QueueMessage } from '@celery/transport/virtual'
import type { Claims } from './claims.ts'
import { fencePrefix, toFence } from './fence.ts'
import { type Inserted, insertIgnoringKnown, type NewMessage } from './insert-messages.ts'
import { ReadyLines, type ReadyRange } from './ready-lines.ts'
import { prepareAll, type QueueRow, type Topology } from './topology.ts'

/**
 * Brings messages into `ready` and `delayed`, and out of them. All of it is synchronous and belongs into a transaction
 * that has refreshed the topology.
 */
export class MessageStore {
  readonly ready: ReadyLines
  readonly #topology: Topology
  readonly #claims: Claims
  readonly #statements: Readonly<Record<keyof typeof sql, Statement>>
  readonly #insert: (messages: readonly NewMessage[]) => Inserted

  constructor(database: Database, topology: Topology, claims: Claims) {
    this.ready = new ReadyLines(database)
    this.#topology = topology
    this.#claims = claims
    this.#statements = prepareAll(database, sql)
    this.#insert = insertIgnoringKnown(database)
  }

  /** Adds messages in their order, except those whose tag is in their queue already. */
  put(messages: readonly QueueMessage[], nowMs: number): void {
    let dead: Set<string> | undefined
    const all = messages.map((message): NewMessage => {
      const { tag, payload, notBeforeMs } = message
      const queue = this.#topology.ensureQueue(message.queue)
      if (queue.keepsDead) dead = (dead ?? new Set()).add(queue.name)
      const untilMs = notBeforeMs !== undefined && notBeforeMs > nowMs ? notBeforeMs : undefined
      const dropAtMs = queue.messageTtlMs === undefined ? null : (untilMs ?? nowMs) + queue.messageTtlMs
      const rank = queue.keepsDead ? deadRank : rankOf(message.priority)
      return { queue: queue.id, rank, untilMs, dropAtMs, tag, payload }
    })
    // Only messages that are taken from one line need to keep their order, and these get ids that follow each other.
    all.sort((a, b) => a.queue - b.queue || a.rank - b.rank)
    const { firstId, count } = this.#insert(all)
    if (count > 0) this.#place(count === all.length ? all : this.#inserted(all, firstId), firstId)
    if (dead !== undefined) this.trimDead(dead)
  }

  /** Removes the oldest of each of these dead-letter queues that are too many. */
  trimDead(names: Iterable<string>): void {
    for (const name of names) {
      const queue = this.#topology.queue(name)
      if (queue === undefined) continue
      const surplus = this.ready.count(queue) - deadLetterLimits.maxMessages
      if (surplus > 0) this.purgePortion(queue, surplus)
    }
  }

  /** Those that were not left out, in the order of their ids. */
  #inserted(all: readonly NewMessage[], firstId: number): NewMessage[] {
    const rows = this.#statements.from.values([firstId])
    const inserted: NewMessage[] = []
    for (const message of all) {
      const row = rows[inserted.length]
      if (row?.[0] === message.queue && row[1] === message.tag) inserted.push(message)
    }
    // Whatever is not lined up would lie there for ever.
    if (inserted.length !== rows.length) throw new Error('a message that was stored cannot be told from the others')
    return inserted
  }

  /** Lines up, or parks, messages that have just been given ids from `firstId` on. */
  #place(messages: readonly NewMessage[], firstId: number): void {
    for (let index = 0; index < messages.length; ) {
      const { queue, rank, untilMs } = messages[index] as NewMessage
      const first = firstId + index
      if (untilMs !== undefined) {
        this.#statements.delay.run([untilMs, first, queue, rank])
        index++
        continue
      }
      let next: NewMessage | undefined
      do {
        index++
        next = messages[index]
      } while (next !== undefined && next.queue === queue && next.rank === rank && next.untilMs === undefined)
      const range = { first, last: firstId + index - 1 }
      // Only the first of these can follow directly on what was put before.
      if (first === firstId) this.ready.append(queue, rank, range)
      else this.ready.add(queue, { ...range, rank, redeliveries: 0 })
    }
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

  /**
   * Moves up to `max` messages of one queue from ready to held, under claims whose numbers come from `newClaim`.
   * Messages that have outlived the queue's limit are removed instead.
   */
  take(queue: QueueRow, max: number, newClaim: () => number, nowMs: number): Delivery[] {
    const deliveries: Delivery[] = []
    for (let removed = 0; removed < mostRemoved; ) {
      const ranges = this.ready.next(queue, max - deliveries.length)
      if (ranges.length === 0) break
      const rows = this.#read(queue, ranges)
      const claim = newClaim()
      this.#hold(claim, queue, ranges)
      const outlived = this.#deliver(claim, queue, ranges, rows, nowMs, deliveries)
      if (outlived.length === 0) break
      this.#statements.deleteMessages.run([JSON.stringify(outlived)])
      this.#claims.tidy(claim, Math.min(...outlived), Math.max(...outlived))
      removed += outlived.length
      if (deliveries.length >= max) break
    }
    return deliveries
  }

  /** The messages of the next ranges, as rows. */
  #read(queue: QueueRow, ranges: readonly ReadyRange[]): unknown[][] {
    const { first, upTo } = ranges[0] as ReadyRange
    const mortal = queue.messageTtlMs !== undefined
    if (ranges.length === 1) return this.#statements[mortal ? 'readMortal' : 'read'].values([first, upTo])
    const count = ranges.reduce((sum, range) => sum + range.upTo - range.first + 1, 0)
    return this.#statements[mortal ? 'readMortalRanges' : 'readRanges'].values([queue.id, count])
  }

  #hold(claim: number, queue: QueueRow, ranges: readonly ReadyRange[]): void {
    const end = ranges[ranges.length - 1] as ReadyRange
    const isCut = end.upTo < end.last
    const whole = isCut ? ranges[ranges.length - 2] : end
    if (whole !== undefined) this.#claims.holdReady(claim, queue.id, whole)
    if (isCut) this.#claims.hold(claim, queue.id, { ...end, last: end.upTo })
    this.ready.removeNext(queue, ranges)
  }

  /** Turns rows into deliveries, and returns the ids of those that have outlived their queue's limit. */
  #deliver(
    claim: number,
    queue: QueueRow,
    ranges: readonly ReadyRange[],
    rows: readonly (readonly unknown[])[],
    nowMs: number,
    deliveries: Delivery[],
  ): number[] {
    const outlived: number[] = []
    const prefix = fencePrefix(claim)
    let at = 0
    let range = ranges[0] as ReadyRange
    for (const row of rows) {
      const id = row[0] as number
      while (id < range.first || id > range.upTo) range = ranges[++at] as ReadyRange
      if (((row[3] as number | null | undefined) ?? Number.POSITIVE_INFINITY) <= nowMs) outlived.push(id)
      else deliveries.push(toDelivery(queue.name, prefix, range.redeliveries, row))
    }
    return outlived
  }

  /** Removes up to `max` ready messages and returns how many it found. */
  purgePortion(queue: QueueRow, max: number): number {
    const ranges = this.ready.next(queue, max)
    let removed = 0
    for (const { first, upTo } of ranges) {
      this.#statements.deleteRange.run([first, upTo])
      removed += upTo - first + 1
    }
    if (removed > 0) this.ready.removeNext(queue, ranges)
    return removed
  }

  /** Removes all messages of a queue, wherever they are. */
  removeAll(queue: QueueRow): void {
    this.#claims.deleteOf(queue.id)
    this.ready.removeAll(queue)
    this.#statements.deleteDelayedOf.run([queue.id])
    this.#statements.deleteMessagesOf.run([queue.id])
  }

  /** Removes ready messages that have outlived their queue's limit. */
  dropExpired(queue: QueueRow, nowMs: number): void {
    if (queue.messageTtlMs === undefined) return
    const expired = this.#statements.expired.values([queue.id, nowMs]).map((row) => {
      const [id, rank, first, last, redeliveries] = row as [number, number, number, number, number]
      return { id, rank, first, last, redeliveries }
    })
    if (expired.length === 0) return
    this.ready.takeOut(queue, expired)
    this.#statements.deleteMessages.run([JSON.stringify(expired.map(({ id }) => id))])
  }

  counts(queue: QueueRow): { readonly ready: number; readonly delayed: number; readonly held: number } {
    return {
      ready: this.ready.count(queue),
      delayed: this.#statements.countDelayed.values([queue.id])[0]?.[0] as number,
      held: this.#claims.count(queue.id),
    }
  }
}

const duePortion = 1_000
/** Outlived messages removed in one fetch; the next goes on. */
const mostRemoved = 1_000

/** Of every dead letter: the most urgent of them are not to be the first that are dropped. */
export const deadRank: number = rankOf(0)

function rankOf(priority: number): number {
  return 9 - priority
}

function toDelivery(queue: string, prefix: string, redeliveries: number, row: readonly unknown[]): Delivery {
  const tag = row[1] as string
  const fence = toFence(prefix, row[0] as number, tag)
  const delivery = { queue, tag, fence, redeliveries, payload: storedText(row[2] as SqlValue) }
  const deadReason = row[4]
  return typeof deadReason === 'string' ? { ...delivery, deadReason } : delivery
}

const readyMessages = `FROM ready r CROSS JOIN message m ON m.id BETWEEN r.first AND r.last
  WHERE r.queue = ? ORDER BY r.rank, r.last, m.id`

const sql = {
  from: 'SELECT queue, tag FROM message WHERE id >= ? ORDER BY id',
  delay: 'INSERT INTO delayed (until_ms, message, queue, rank, redeliveries) VALUES (?, ?, ?, ?, 0)',

  nextDue: 'SELECT until_ms FROM delayed ORDER BY until_ms LIMIT 1',
  lastDue: `SELECT until_ms, message FROM (
    SELECT until_ms, message FROM delayed WHERE until_ms <= ? ORDER BY until_ms, message LIMIT ?
  ) ORDER BY until_ms DESC, message DESC LIMIT 1`,
  readyDue: `INSERT INTO ready (queue, rank, first, last, redeliveries)
    SELECT queue, rank, message, message, redeliveries FROM delayed WHERE (until_ms, message) <= (?, ?)`,
  deleteDue: 'DELETE FROM delayed WHERE (until_ms, message) <= (?, ?)',

  read: 'SELECT id, tag, CAST(payload AS BLOB) FROM message WHERE id BETWEEN ? AND ? ORDER BY id',
  readMortal: `SELECT id, tag, CAST(payload AS BLOB), drop_at_ms, dead_reason FROM message WHERE id BETWEEN ? AND ? ORDER BY id`,
  readRanges: `SELECT m.id, m.tag, CAST(m.payload AS BLOB) ${readyMessages} LIMIT ?`,
  readMortalRanges: `SELECT m.id, m.tag, CAST(m.payload AS BLOB), m.drop_at_ms, m.dead_reason ${readyMessages} LIMIT ?`,

  deleteRange: 'DELETE FROM message WHERE id BETWEEN ? AND ?',
  deleteMessages: 'DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))',
  expired: `SELECT m.id, r.rank, r.first, r.last, r.redeliveries
    FROM ready r CROSS JOIN message m ON m.id BETWEEN r.first AND r.last
    WHERE r.queue = ? AND m.drop_at_ms <= ? ORDER BY r.rank, r.last, m.id`,
  deleteDelayedOf: 'DELETE FROM delayed WHERE queue = ?',
  deleteMessagesOf: 'DELETE FROM message WHERE queue = ?',
  countDelayed: 'SELECT count(*) FROM delayed WHERE queue = ?',
} as const
