import { type Database, SqliteWrite, type Statement } from '@celery/sqlite'
import type { SettleAction, SettleResult } from '@celery/transport'
import type { QueueMessage, VirtualSettlement } from '@celery/transport/virtual'
import type { Claims } from './claims.ts'
import type { DeadLetters } from './dead-letters.ts'
import { type HeldKey, heldKey } from './fence.ts'
import type { MessageStore } from './message-store.ts'

/**
 * Carries out settlements, each whole or not at all, in one transaction. Acknowledged messages are deleted for the whole
 * batch at once; follow-ups are added together at the end, in their order.
 */
export class Settler {
  readonly #database: Database
  readonly #store: MessageStore
  readonly #claims: Claims
  readonly #deadLetters: DeadLetters
  /** Statements of `SqliteWrite`s by their text. Makers keep the text constant, so there are few. */
  readonly #prepared = new Map<string, Statement>()

  constructor(database: Database, store: MessageStore, claims: Claims, deadLetters: DeadLetters) {
    this.#database = database
    this.#store = store
    this.#claims = claims
    this.#deadLetters = deadLetters
  }

  settle(settlements: readonly VirtualSettlement[], nowMs: number): SettleResult[] {
    const keys = settlements.map(({ delivery }) => (delivery === undefined ? undefined : heldKey(delivery)))
    const left = this.#endAcked(settlements, keys)
    const follow: QueueMessage[] = []
    const results: SettleResult[] = []
    for (let index = 0; index < settlements.length; index++) {
      const { action, put, writes } = settlements[index] as VirtualSettlement
      const key = keys[index]
      if (key !== undefined && left?.has(key) === true && !this.#settleOne(key, action, nowMs)) {
        results.push('stale')
        continue
      }
      if (writes !== undefined) for (const write of writes) this.#write(write.statement)
      if (put !== undefined) for (const message of put) follow.push(message)
      results.push('done')
    }
    if (follow.length > 0) this.#store.put(follow, nowMs)
    this.#deadLetters.trim()
    return results
  }

  /**
   * Ends what is acknowledged, as much of it at once as possible, and returns the keys that are left. Of two settlements
   * of one message the second comes too late, whichever they are, so then all of them are left, in their order.
   */
  #endAcked(
    settlements: readonly VirtualSettlement[],
    keys: readonly (HeldKey | undefined)[],
  ): ReadonlySet<HeldKey> | undefined {
    const acked: HeldKey[] = []
    const others: HeldKey[] = []
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index]
      if (key === undefined) continue
      const action = settlements[index]?.action
      if (action === undefined || action.type === 'ack') acked.push(key)
      else others.push(key)
    }
    if (others.length > 0 && !areAscending([...acked, ...others].sort(inOrder))) return new Set([...acked, ...others])
    // Most come in the order in which they were fetched.
    if (!areAscending(acked) && !areAscending(acked.sort(inOrder))) return new Set(acked)
    const stale = this.#claims.endAll(acked)
    return others.length + stale.length === 0 ? undefined : new Set([...others, ...stale])
  }

  /** Returns false where the message is not held. */
  #settleOne(key: HeldKey, action: SettleAction | undefined, nowMs: number): boolean {
    switch (action?.type) {
      case 'requeue':
        return this.#claims.giveBack(key, action.counted)
      case 'park': {
        const counted = action.counted === true
        if (action.untilMs > nowMs) return this.#claims.park(key, Math.ceil(action.untilMs), counted)
        return this.#claims.giveBack(key, counted)
      }
      case 'dead':
        return this.#deadLetters.bury(key, action.reason, nowMs)
      default:
        return this.#claims.end(key)
    }
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

/** Sorted, and none of them twice. */
function areAscending(keys: readonly HeldKey[]): boolean {
  for (let index = 1; index < keys.length; index++) {
    if (inOrder(keys[index - 1] as HeldKey, keys[index] as HeldKey) >= 0) return false
  }
  return true
}

function inOrder(a: HeldKey, b: HeldKey): number {
  return a.claim - b.claim || a.message - b.message
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
