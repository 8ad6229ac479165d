import { type Database, SqliteWrite, type Statement } from '@celery/sqlite'
import type { SettleAction, SettleResult } from '@celery/transport'
import type { QueueMessage, VirtualSettlement } from '@celery/transport/virtual'
import { deliveryNumber } from './fence.ts'
import type { HeldRow, MessageStore } from './message-store.ts'

/**
 * Carries out settlements, each whole or not at all, in one transaction. Acknowledged messages are deleted for the whole
 * batch at once; follow-ups are added together at the end, in their order.
 */
export class Settler {
  readonly #database: Database
  readonly #store: MessageStore
  /** Statements of `SqliteWrite`s by their text. Makers keep the text constant, so there are few. */
  readonly #prepared = new Map<string, Statement>()

  constructor(database: Database, store: MessageStore) {
    this.#database = database
    this.#store = store
  }

  settle(settlements: readonly VirtualSettlement[], nowMs: number): SettleResult[] {
    const ours = this.#endAcked(settlements) ?? this.#readHeld(settlements)
    const follow: QueueMessage[] = []
    const results: SettleResult[] = []
    const acked: number[] = []
    for (const { delivery, action, put, writes } of settlements) {
      if (delivery !== undefined && ours !== 'all') {
        const fence = deliveryNumber(delivery)
        const row = ours.get(fence)
        if (row === undefined) {
          results.push('stale')
          continue
        }
        // The second of two settlements of one delivery comes too late.
        ours.delete(fence)
        if (action === undefined || action.type === 'ack') acked.push(fence)
        else this.#giveAway(fence, row, action, nowMs)
      }
      if (writes !== undefined) for (const write of writes) this.#write(write.statement)
      if (put !== undefined) for (const message of put) follow.push(message)
      results.push('done')
    }
    if (acked.length > 0) this.#store.ack(acked)
    if (follow.length > 0) this.#store.put(follow, nowMs)
    return results
  }

  /**
   * The usual case, in two statements that return no rows, because rows cost the most: every delivery is acknowledged
   * and still ours. Returns `undefined` where it is not so, and then the caller looks at each.
   */
  #endAcked(settlements: readonly VirtualSettlement[]): 'all' | undefined {
    const fences: number[] = []
    for (const { delivery, action } of settlements) {
      if (delivery === undefined) continue
      if (action !== undefined && action.type !== 'ack') return undefined
      fences.push(deliveryNumber(delivery))
    }
    return fences.length === 0 || this.#store.ackAll(fences) ? 'all' : undefined
  }

  #giveAway(fence: number, row: HeldRow, action: Exclude<SettleAction, { type: 'ack' }>, nowMs: number): void {
    switch (action.type) {
      case 'requeue':
        this.#store.giveBack(fence, row, action.counted)
        break
      case 'park':
        if (action.untilMs > nowMs) this.#store.park(fence, row, Math.ceil(action.untilMs))
        else this.#store.giveBack(fence, row, false)
        break
      case 'dead':
        this.#store.bury(fence, row, action.reason, nowMs)
        break
    }
  }

  #readHeld(settlements: readonly VirtualSettlement[]): Map<number, HeldRow> {
    const fences: number[] = []
    for (const { delivery } of settlements) if (delivery !== undefined) fences.push(deliveryNumber(delivery))
    return fences.length === 0 ? new Map() : this.#store.held(fences)
  }

  #write(statement: unknown): void {
    const write = statement as SqliteWrite
    let prepared = this.#prepared.get(write.sql)
    if (prepared === undefined) {
      prepared = this.#database.prepare(write.sql)
      this.#prepared.set(write.sql, prepared)
    }
    prepared.run(write.params)
  }
}

/** @throws TypeError before anything happens, rather than in the middle of a batch. */
export function checkWrites(settlements: readonly VirtualSettlement[]): void {
  for (const { writes } of settlements) {
    for (const { statement } of writes ?? []) {
      if (!isSqliteWrite(statement)) throw new TypeError('a write to an SQLite broker must be a SqliteWrite')
    }
  }
}

/** By shape: the store may have been built with another copy of `@celery/sqlite`. */
function isSqliteWrite(value: unknown): value is SqliteWrite {
  if (value instanceof SqliteWrite) return true
  if (typeof value !== 'object' || value === null) return false
  return typeof (value as SqliteWrite).sql === 'string' && Array.isArray((value as SqliteWrite).params)
}
